// Cancel, pause, resume: at once where no worker holds the task, through its worker otherwise.

import {
  type Control,
  isTerminal,
  type NewEvent,
  type SendControl,
  type SentControl,
  type Status,
  type TaskId,
} from '@switchyard/contracts'
import { type Advanced, advance, type Change, findTaskRow, readProgress, type TaskRow } from '@switchyard/records'
import type { Speaker, SteeringDeps } from './deps.ts'

/** How long the answer waits for the worker to have done it, ms. */
const WORKER_MS = 2_500
const EVERY_MS = 250
/** Between reading the row and writing it a worker may have moved it: so often it is read again. */
const TRIES = 5

type Outcome = SentControl['outcome']

/** What to do with the row as it is now; null where it moved meanwhile. */
type Attempt = (row: TaskRow) => Promise<{ readonly outcome: Outcome; readonly status: Status } | null>

const HELD: readonly Status[] = ['preparing', 'running', 'input_required']

const isHeld = (status: Status): boolean => HELD.includes(status)

class ControlCall {
  readonly #deps: SteeringDeps
  readonly #speaker: Speaker
  readonly #input: SendControl

  constructor(deps: SteeringDeps, speaker: Speaker, input: SendControl) {
    this.#deps = deps
    this.#speaker = speaker
    this.#input = input
  }

  #told(control: Control): NewEvent {
    const { by, sourceKey } = this.#speaker
    const reason = this.#input.reason
    return {
      type: 'task_control',
      message: `${control} asked for by ${by}${reason ? `: ${reason}` : ''}`,
      data: { control, by, reason: reason ?? null },
      ...(sourceKey === undefined ? {} : { source_key: sourceKey }),
    }
  }

  get #reason(): string | null {
    return this.#input.reason ?? null
  }

  async #write(change: Omit<Change, 'generation'>): Promise<Advanced | null> {
    const written = await advance(this.#deps.records.db, { ...change, generation: null })
    if (written && written.events.length > 0)
      this.#deps.bus.publishTask(change.taskId, { kind: 'events', events: written.events })
    return written
  }

  /** Tells the worker, and waits for a status that settles the matter. */
  async #askWorker(id: TaskId, isDone: (status: Status) => boolean): Promise<Status | undefined> {
    const { bus, wait, records } = this.#deps
    bus.publishCommand({ kind: 'control', task_id: id })
    return await wait(id, { timeoutMs: WORKER_MS, everyMs: EVERY_MS }, async () => {
      const [progress] = await readProgress(records.db, [id])
      return progress && isDone(progress.status) ? progress.status : undefined
    })
  }

  readonly #cancel: Attempt = async (row) => {
    const at = new Date()
    if (!isHeld(row.status)) {
      const written = await this.#write({
        taskId: row.id,
        from: ['queued', 'paused'],
        to: 'cancelled',
        set: { cancel_requested_at: at, completed_at: at, control_reason: this.#reason, worker_id: null },
        events: [
          this.#told('cancel'),
          {
            type: 'task_cancelled',
            message: `cancelled while it was ${row.status}`,
            data: { reason: this.#reason, while: row.status },
          },
        ],
      })
      // Nobody runs it, but its container may be there, frozen.
      if (written && row.mode === 'docker') this.#deps.bus.publishCommand({ kind: 'control', task_id: row.id })
      return written && { outcome: 'done', status: 'cancelled' }
    }
    if (row.cancel_requested_at === null) {
      const set = { cancel_requested_at: at, control_reason: this.#reason }
      const written = await this.#write({ taskId: row.id, from: HELD, set, events: [this.#told('cancel')] })
      if (!written) return null
    }
    const ended = await this.#askWorker(row.id, isTerminal)
    if (ended === undefined) return { outcome: 'requested', status: await this.#statusOf(row) }
    return { outcome: ended === 'cancelled' ? 'done' : 'already_ended', status: ended }
  }

  readonly #pause: Attempt = async (row) => {
    if (row.status === 'paused') return { outcome: 'already', status: 'paused' }
    if (row.cancel_requested_at !== null) return { outcome: 'not_possible', status: row.status }
    if (row.status === 'queued') {
      const written = await this.#write({
        taskId: row.id,
        from: ['queued'],
        to: 'paused',
        set: { pause_requested_at: null, control_reason: this.#reason },
        events: [
          this.#told('pause'),
          { type: 'task_paused', message: 'paused before it began', data: { reason: this.#reason } },
        ],
      })
      return written && { outcome: 'done', status: 'paused' }
    }
    if (row.pause_requested_at === null) {
      const set = { pause_requested_at: new Date(), control_reason: this.#reason }
      const written = await this.#write({ taskId: row.id, from: HELD, set, events: [this.#told('pause')] })
      if (!written) return null
    }
    const now = await this.#askWorker(row.id, (status) => status === 'paused' || isTerminal(status))
    if (now === undefined) return { outcome: 'requested', status: await this.#statusOf(row) }
    return { outcome: now === 'paused' ? 'done' : 'already_ended', status: now }
  }

  readonly #resume: Attempt = async (row) => {
    if (row.status === 'paused') return await this.#resumePaused(row)
    if (row.pause_requested_at === null) return { outcome: 'already', status: row.status }
    // A pause is under way: it is let through, then taken back; a worker that is slow finds it withdrawn.
    const now = await this.#askWorker(row.id, (status) => status === 'paused' || isTerminal(status))
    if (now !== undefined) return null
    const set = { pause_requested_at: null, control_reason: this.#reason }
    const written = await this.#write({ taskId: row.id, from: HELD, set, events: [this.#told('resume')] })
    if (!written) return null
    this.#deps.bus.publishCommand({ kind: 'control', task_id: row.id })
    return { outcome: 'requested', status: written.task.status }
  }

  async #resumePaused(row: TaskRow) {
    const written = await this.#write({
      taskId: row.id,
      from: ['paused'],
      to: 'queued',
      set: { pause_requested_at: null, control_reason: this.#reason },
      events: [
        this.#told('resume'),
        { type: 'task_resumed', message: 'resumed: it is queued again', data: { reason: this.#reason } },
      ],
    })
    if (!written) return null
    const { queue, logger } = this.#deps
    await queue.add(written.task).catch((error: Error) => {
      logger.warn({ task_id: row.id, err: error.message }, 'resumed and not in the queue yet; a sweeper will add it')
    })
    return { outcome: 'done', status: 'queued' } as const
  }

  async #statusOf(row: TaskRow): Promise<Status> {
    const [progress] = await readProgress(this.#deps.records.db, [row.id])
    return progress?.status ?? row.status
  }

  async run(first: TaskRow): Promise<SentControl> {
    const { control } = this.#input
    const attempt = { cancel: this.#cancel, pause: this.#pause, resume: this.#resume }[control]
    const answer = (outcome: Outcome, status: Status): SentControl => ({ task_id: first.id, control, outcome, status })
    let row = first
    for (let attempts = 0; attempts < TRIES; attempts += 1) {
      if (isTerminal(row.status)) return answer('already_ended', row.status)
      const done = await attempt(row)
      if (done) return answer(done.outcome, done.status)
      row = (await findTaskRow(this.#deps.records.db, first.id)) ?? row
    }
    return answer(isTerminal(row.status) ? 'already_ended' : 'not_possible', row.status)
  }
}

/**
 * Cancels, pauses or resumes a task. Every outcome says what came of it; a task that has ended answers `already_ended`.
 *
 * @throws SwitchyardError `database_unavailable`
 */
export const controlTask = async (
  deps: SteeringDeps,
  speaker: Speaker,
  row: TaskRow,
  input: SendControl,
): Promise<SentControl> => await new ControlCall(deps, speaker, input).run(row)
