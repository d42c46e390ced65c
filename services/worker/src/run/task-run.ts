// One run of one task by one worker: works until there is a verdict, enforces the deadline, and
// writes the end, the pause or the release.

import { setTimeout as delay } from 'node:timers/promises'
import { ERRORS, type ErrorCode, isSwitchyardError, type TaskResult, toSwitchyardError } from '@switchyard/contracts'
import type { Processed } from '@switchyard/queue'
import type { TaskRow } from '@switchyard/records'
import { objectDirectories } from '@switchyard/workspace'
import { DockerExecution } from './docker/docker-execution.ts'
import { endTask } from './end-task.ts'
import { type Execution, type RunContext, raiseRequested, type TaskRunDeps } from './execution.ts'
import { Interrupt, type InterruptReason } from './interrupt.ts'
import { OpenCodeExecution } from './opencode/opencode-execution.ts'
import { RunRecord } from './run-record.ts'
import { readResult } from './task-result.ts'
import { type Ending, endingOf, type Findings } from './verdict.ts'

const DONE: Processed = { againInMs: null }
const REQUEUE: Processed = { againInMs: 0 }
/** The longest delay of setTimeout, ms. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** How often a pause is retried while the server or the engine does not answer, ms. */
const PAUSE_RETRY_MS = 1_000

/** How the work has come to an end in this run. */
type Outcome =
  /** The end is written. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'interrupted'; readonly reason: InterruptReason }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** Another worker owns the task now, or it has ended. */
  | { readonly kind: 'ownership_lost' }

type StopReason = Exclude<InterruptReason, 'handover' | 'pause'>

export class TaskRun {
  readonly #deps: TaskRunDeps
  readonly #record: RunRecord
  readonly #interrupt = new Interrupt()
  readonly #execution: Execution
  #isAbortPending = false

  /** @param row - the task as this worker claimed it. */
  constructor(deps: TaskRunDeps, row: TaskRow) {
    this.#deps = deps
    this.#record = new RunRecord(deps.records, deps.bus, deps.logger, row)
    const run: RunContext = { deps, record: this.#record, interrupt: this.#interrupt }
    this.#execution = row.mode === 'docker' ? new DockerExecution(run) : new OpenCodeExecution(run)
  }

  /** Reads the record again, to which the api has written a control, a message or a reply. */
  async command(): Promise<void> {
    await this.#execution.command()
  }

  /** Releases the task while its session continues to run. Another worker continues it. */
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
      return await this.#settle(await this.#work())
    } catch (error) {
      if (isSwitchyardError(error, 'stale_owner')) return DONE
      throw error
    } finally {
      clearTimeout(deadline)
      this.#execution.close()
      logger.info({ task_id: row.id, status: this.#record.row.status, generation: row.generation }, 'run ended')
    }
  }

  /**
   * Works until the end is written, or the work is interrupted or fails. Messages that arrive
   * before the end continue it.
   */
  async #work(): Promise<Outcome> {
    try {
      raiseRequested(this.#record, this.#interrupt)
      this.#interrupt.check()
      for (;;) {
        const verdict = await this.#execution.work()
        const messagesSeen = verdict.kind === 'completed' ? verdict.messagesSeen : undefined
        if (await this.#writeEnd(endingOf(verdict), verdict.findings, messagesSeen)) return { kind: 'ended' }
      }
    } catch (error) {
      if (isSwitchyardError(error, 'stale_owner')) return { kind: 'ownership_lost' }
      const { reason } = this.#interrupt
      return reason === null ? { kind: 'failed', error } : { kind: 'interrupted', reason }
    }
  }

  /** Writes what is left to write. */
  async #settle(outcome: Outcome): Promise<Processed> {
    switch (outcome.kind) {
      case 'ended':
      case 'ownership_lost':
        return DONE
      case 'failed':
        return await this.#fail(outcome.error)
      case 'interrupted':
        if (outcome.reason === 'handover') return await this.#release()
        if (outcome.reason === 'pause') return await this.#pause()
        return await this.#stop(outcome.reason)
    }
  }

  /**
   * @returns false if callers have sent more messages than `messagesSeen`; nothing is written then.
   */
  async #writeEnd(ending: Ending, findings: Findings, messagesSeen?: number): Promise<boolean> {
    const isWritten = await endTask(this.#record, {
      ending,
      findings,
      result: await this.#readResult(findings),
      isAbortPending: this.#isAbortPending,
      ...(messagesSeen === undefined ? {} : { messagesSeen }),
    })
    if (isWritten) await this.#execution.cleanUp()
    return isWritten
  }

  async #readResult(findings: Findings): Promise<TaskResult> {
    const objectDirs = await this.#record.untilAvailable(() => objectDirectories(this.#deps, this.#record.row))
    return await readResult(this.#record, findings, objectDirs, this.#deps.logger)
  }

  async #release(): Promise<Processed> {
    await this.#record.release()
    return REQUEUE
  }

  async #stopWork(): Promise<Findings> {
    const { findings, isAbortPending } = await this.#execution.halt('stop')
    this.#isAbortPending ||= isAbortPending
    return findings
  }

  /**
   * Pauses the work. Retries while the server or the engine does not answer; the task is not paused
   * until then.
   *
   * @returns null if a cancel, the deadline or the worker's shutdown has overtaken the pause.
   */
  async #pauseWork(): Promise<Findings | null> {
    for (;;) {
      const { findings, isAbortPending } = await this.#execution.halt('pause')
      if (!isAbortPending) return findings
      await delay(PAUSE_RETRY_MS)
      await this.#record.refresh()
      if (this.#interrupt.reason !== 'pause' || !this.#isPauseRequested) return null
    }
  }

  get #isPauseRequested(): boolean {
    const { pause_requested_at, cancel_requested_at } = this.#record.row
    return pause_requested_at !== null && cancel_requested_at === null
  }

  async #pause(): Promise<Processed> {
    const findings = await this.#pauseWork()
    if (!findings) return await this.#settleOvertakenPause()
    // Stored in case the task is never resumed.
    const result = await this.#readResult(findings)
    const reason = this.#record.row.control_reason
    const paused = await this.#record.tryWrite({
      to: 'paused',
      whilePauseAsked: true,
      set: { worker_id: null, pause_requested_at: null, result },
      events: [
        {
          type: 'task_paused',
          message: `paused${reason ? `: ${reason}` : ''}; ${this.#execution.whenPaused}`,
          data: { reason },
        },
      ],
    })
    return paused ? DONE : await this.#settleOvertakenPause()
  }

  /** The pause stays in the record for the next run, unless it was withdrawn. */
  async #settleOvertakenPause(): Promise<Processed> {
    if (this.#record.row.cancel_requested_at) return await this.#stop('cancel')
    const { reason } = this.#interrupt
    if (reason === null || reason === 'pause' || reason === 'handover') return await this.#release()
    return await this.#stop(reason)
  }

  async #stop(reason: StopReason): Promise<Processed> {
    const findings = await this.#stopWork()
    await this.#writeEnd(this.#endingFor(reason), findings)
    return DONE
  }

  #endingFor(reason: StopReason): Ending {
    switch (reason) {
      case 'cancel':
        return { status: 'cancelled', error: null }
      case 'deadline':
        return timeout('task_timeout', `stopped after its timeout of ${this.#record.row.timeout_ms} ms`)
      case 'stuck':
        return timeout('task_stuck', 'stopped: no progress for too long')
    }
  }

  async #fail(error: unknown): Promise<Processed> {
    const cause = toSwitchyardError(error)
    // Nothing is wrong with the task: another run continues it.
    if (cause.code === 'database_unavailable') return await this.#release()
    if (cause.code === 'internal_error')
      this.#deps.logger.error({ task_id: this.#record.row.id, err: error }, 'run failed')
    const { code, message, hint } = cause
    const findings = await this.#stopWork()
    await this.#writeEnd(
      { status: 'failed', error: { code, message: `${message}. ${hint}`, retryable: ERRORS[code].retryable } },
      findings,
    )
    return DONE
  }
}

const timeout = (code: ErrorCode, message: string): Ending => ({
  status: 'timeout',
  error: { code, message, retryable: ERRORS[code].retryable },
})
