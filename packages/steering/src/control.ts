// Cancels, pauses and resumes a task: directly in the record while no worker runs it, through its worker otherwise.

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
import type { Actor, SteeringDeps } from './types.ts'

/** How long the call waits for the worker to act, ms. */
const WORKER_MS = 2_500
const EVERY_MS = 250
/** A worker may change the row between our read and our write; it is read again this many times. */
const MAX_ATTEMPTS = 5

type Outcome = SentControl['outcome']

/** Acts on the row as it was read; returns null when a worker changed its status meanwhile. */
type Attempt = (row: TaskRow) => Promise<{ readonly outcome: Outcome; readonly status: Status } | null>

/** A worker runs the task. */
const RUNNING: readonly Status[] = ['preparing', 'running', 'input_required']

class ControlCall {
  readonly #deps: SteeringDeps
  readonly #actor: Actor
  readonly #input: SendControl

  constructor(deps: SteeringDeps, actor: Actor, input: SendControl) {
    this.#deps = deps
    this.#actor = actor
    this.#input = input
  }

  #controlEvent(control: Control): NewEvent {
    const { by, sourceKey } = this.#actor
    const reason = this.#input.reason
    return {
      type: 'task_control',
      message: `${control} requested by ${by}${reason ? `: ${reason}` : ''}`,
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

  /** Notifies the worker and waits for a status that `isDone` accepts; undefined when it takes too long. */
  async #notifyWorker(id: TaskId, isDone: (status: Status) => boolean): Promise<Status | undefined> {
    const { bus, wait, records } = this.#deps
    bus.publishCommand({ kind: 'control', task_id: id })
    return await wait(id, { timeoutMs: WORKER_MS, everyMs: EVERY_MS }, async () => {
      const [progress] = await readProgress(records.db, [id])
      return progress && isDone(progress.status) ? progress.status : undefined
    })
  }

  readonly #cancel: Attempt = async (row) => {
    const at = new Date()
    if (!RUNNING.includes(row.status)) {
      const written = await this.#write({
        taskId: row.id,
        from: ['queued', 'paused'],
        to: 'cancelled',
        set: { cancel_requested_at: at, completed_at: at, control_reason: this.#reason, worker_id: null },
        events: [
          this.#controlEvent('cancel'),
          {
            type: 'task_cancelled',
            message: `cancelled while ${row.status}`,
            data: { reason: this.#reason, while: row.status },
          },
        ],
      })
      // No worker runs it, but a paused task in Docker mode has a frozen container to remove.
      if (written && row.mode === 'docker') this.#deps.bus.publishCommand({ kind: 'control', task_id: row.id })
      return written && { outcome: 'done', status: 'cancelled' }
    }
    if (row.cancel_requested_at === null) {
      const set = { cancel_requested_at: at, control_reason: this.#reason }
      const written = await this.#write({ taskId: row.id, from: RUNNING, set, events: [this.#controlEvent('cancel')] })
      if (!written) return null
    }
    const ended = await this.#notifyWorker(row.id, isTerminal)
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
          this.#controlEvent('pause'),
          { type: 'task_paused', message: 'paused before it started', data: { reason: this.#reason } },
        ],
      })
      return written && { outcome: 'done', status: 'paused' }
    }
    if (row.pause_requested_at === null) {
      const set = { pause_requested_at: new Date(), control_reason: this.#reason }
      const written = await this.#write({ taskId: row.id, from: RUNNING, set, events: [this.#controlEvent('pause')] })
      if (!written) return null
    }
    const now = await this.#notifyWorker(row.id, (status) => status === 'paused' || isTerminal(status))
    if (now === undefined) return { outcome: 'requested', status: await this.#statusOf(row) }
    return { outcome: now === 'paused' ? 'done' : 'already_ended', status: now }
  }

  readonly #resume: Attempt = async (row) => {
    if (row.status === 'paused') return await this.#resumePaused(row)
    if (row.pause_requested_at === null) return { outcome: 'already', status: row.status }
    // A pause is in progress: wait for it and then resume. A worker that is slow finds the pause withdrawn.
    const now = await this.#notifyWorker(row.id, (status) => status === 'paused' || isTerminal(status))
    if (now !== undefined) return null
    const set = { pause_requested_at: null, control_reason: this.#reason }
    const written = await this.#write({ taskId: row.id, from: RUNNING, set, events: [this.#controlEvent('resume')] })
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
        this.#controlEvent('resume'),
        { type: 'task_resumed', message: 'resumed and queued again', data: { reason: this.#reason } },
      ],
    })
    if (!written) return null
    const { queue, logger } = this.#deps
    await queue.add(written.task).catch((error: Error) => {
      logger.warn({ task_id: row.id, err: error.message }, 'task resumed but not enqueued; the sweeper will enqueue it')
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
    for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts += 1) {
      if (isTerminal(row.status)) return answer('already_ended', row.status)
      const done = await attempt(row)
      if (done) return answer(done.outcome, done.status)
      row = (await findTaskRow(this.#deps.records.db, first.id)) ?? row
    }
    return answer(isTerminal(row.status) ? 'already_ended' : 'not_possible', row.status)
  }
}

/**
 * Cancels, pauses or resumes a task.
 *
 * @returns `outcome`: `done`; `requested`, while the worker has not acted yet; `already`; `already_ended`; `not_possible`
 * @throws SwitchyardError `database_unavailable`
 */
export const controlTask = async (
  deps: SteeringDeps,
  actor: Actor,
  row: TaskRow,
  input: SendControl,
): Promise<SentControl> => await new ControlCall(deps, actor, input).run(row)
