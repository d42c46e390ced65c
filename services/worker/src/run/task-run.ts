// One run of one task by one owner: its execution, its deadline, and what an interrupt leaves behind.

import { setTimeout as delay } from 'node:timers/promises'
import { ERRORS, type ErrorCode, isSwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { Processed } from '@switchyard/queue'
import type { TaskRow } from '@switchyard/records'
import { objectDirectories } from '@switchyard/workspace'
import { DockerExecution } from './docker/docker-execution.ts'
import { type Ending, endTask, failure, resultOf } from './end-task.ts'
import { type Execution, type RunContext, raiseRequested, type TaskRunDeps } from './execution.ts'
import { Interrupt, type Reason } from './interrupt.ts'
import { OpenCodeExecution } from './opencode/opencode-execution.ts'
import type { Found } from './opencode/transcript.ts'
import { RunRecord } from './run-record.ts'

const OVER: Processed = { againInMs: null }
const AGAIN: Processed = { againInMs: 0 }
/** setTimeout takes no more than this, ms. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** Between two tries to hold work whose server or engine does not answer, ms. */
const HOLD_AGAIN_MS = 1_000

export class TaskRun {
  readonly #deps: TaskRunDeps
  readonly #record: RunRecord
  readonly #interrupt = new Interrupt()
  readonly #execution: Execution
  #abortPending = false

  constructor(deps: TaskRunDeps, taken: TaskRow) {
    this.#deps = deps
    this.#record = new RunRecord(deps.records, deps.bus, deps.logger, taken)
    const run: RunContext = {
      deps,
      record: this.#record,
      interrupt: this.#interrupt,
      finish: (ending, found, messagesSent) => this.#finish(ending, found, messagesSent),
    }
    this.#execution = taken.mode === 'docker' ? new DockerExecution(run) : new OpenCodeExecution(run)
  }

  /** Something was written for this task by the api: a control, a message, an answer. */
  async command(): Promise<void> {
    await this.#execution.command()
  }

  /** Lets the task go: its session runs on, the next worker takes it. */
  handOver(): void {
    this.#interrupt.raise('handover')
  }

  async run(): Promise<Processed> {
    const { logger } = this.#deps
    const { row } = this.#record
    const deadline = setTimeout(
      () => this.#interrupt.raise('deadline'),
      Math.min(Math.max(row.deadline.getTime() - Date.now(), 0), MAX_TIMER_MS),
    )
    try {
      raiseRequested(this.#record, this.#interrupt)
      this.#interrupt.check()
      await this.#execution.work()
      return OVER
    } catch (error) {
      return await this.#leave(error)
    } finally {
      clearTimeout(deadline)
      this.#execution.close()
      logger.info({ task_id: row.id, status: this.#record.row.status, generation: row.generation }, 'run ended')
    }
  }

  async #finish(ending: Ending, found: Found, messagesSent?: number): Promise<boolean> {
    const findings = { ...found, objectDirs: await objectDirectories(this.#deps, this.#record.row) }
    const conditions = { abortPending: this.#abortPending, messagesSent }
    if ((await endTask(this.#record, ending, findings, conditions, this.#deps.logger)) === null) return false
    await this.#execution.release()
    return true
  }

  /** What is left to do when the work was cut short. */
  async #leave(error: unknown): Promise<Processed> {
    const reason = this.#interrupt.reason
    try {
      if (isSwitchyardError(error, 'stale_owner')) return OVER
      if (reason === 'handover') return await this.#release()
      if (reason === 'pause') return await this.#pause()
      if (reason !== null) return await this.#stop(reason)
      return await this.#fail(error)
    } catch (later) {
      if (isSwitchyardError(later, 'stale_owner')) return OVER
      throw later
    }
  }

  async #release(): Promise<Processed> {
    await this.#record.release()
    return AGAIN
  }

  async #halt(how: 'stop' | 'pause'): Promise<Found> {
    const { found, abortPending } = await this.#execution.halt(how)
    this.#abortPending ||= abortPending
    return found
  }

  /**
   * Holds the work, waiting for a server or an engine that does not answer: until then the task is not paused. A cancel, the
   * deadline and the worker's own end are not kept waiting.
   *
   * @returns null where something else is to be done by now.
   */
  async #hold(): Promise<Found | null> {
    for (;;) {
      const { found, abortPending } = await this.#execution.halt('pause')
      if (!abortPending) return found
      await delay(HOLD_AGAIN_MS)
      await this.#record.refresh()
      if (this.#interrupt.reason !== 'pause' || !this.#isPauseAsked) return null
    }
  }

  get #isPauseAsked(): boolean {
    const { pause_requested_at, cancel_requested_at } = this.#record.row
    return pause_requested_at !== null && cancel_requested_at === null
  }

  async #pause(): Promise<Processed> {
    const found = await this.#hold()
    if (!found) return await this.#insteadOfPause()
    const objectDirs = await objectDirectories(this.#deps, this.#record.row)
    const result = await resultOf(this.#record, { ...found, objectDirs }, this.#deps.logger)
    const reason = this.#record.row.control_reason
    const paused = await this.#record.tryWrite({
      to: 'paused',
      whilePauseAsked: true,
      // What it has come to so far stays on the record, should it never be resumed.
      set: { worker_id: null, pause_requested_at: null, result },
      events: [
        {
          type: 'task_paused',
          message: `paused${reason ? `: ${reason}` : ''}; ${this.#execution.kept}`,
          data: { reason },
        },
      ],
    })
    return paused ? OVER : await this.#insteadOfPause()
  }

  /** The pause did not come into force. It stays on the record for the next run, unless it was taken back. */
  async #insteadOfPause(): Promise<Processed> {
    if (this.#record.row.cancel_requested_at) return await this.#stop('cancel')
    const { reason } = this.#interrupt
    if (reason === null || reason === 'pause' || reason === 'handover') return await this.#release()
    return await this.#stop(reason)
  }

  async #stop(reason: Exclude<Reason, 'handover' | 'pause'>): Promise<Processed> {
    const found = await this.#halt('stop')
    await this.#finish(this.#endingFor(reason), found)
    return OVER
  }

  #endingFor(reason: Exclude<Reason, 'handover' | 'pause'>): Ending {
    const { timeout_ms } = this.#record.row
    const timeout = (code: ErrorCode, message: string): Ending => ({
      status: 'timeout',
      error: { code, message, retryable: ERRORS[code].retryable },
    })
    switch (reason) {
      case 'cancel':
        return { status: 'cancelled', error: null }
      case 'deadline':
        return timeout('task_timeout', `stopped after its timeout of ${timeout_ms} ms`)
      case 'stuck':
        return timeout('task_stuck', 'stopped: no progress for too long')
    }
  }

  async #fail(error: unknown): Promise<Processed> {
    const cause = toSwitchyardError(error)
    // Nothing is known to be wrong with the task: whoever is next finds it as it is.
    if (cause.code === 'database_unavailable') return await this.#release()
    if (cause.code === 'internal_error')
      this.#deps.logger.error({ task_id: this.#record.row.id, err: error }, 'a run failed')
    await this.#finish(failure(cause.code, `${cause.message}. ${cause.hint}`), await this.#halt('stop'))
    return OVER
  }
}
