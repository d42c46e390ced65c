// One run of one task by one owner: workspace, session, prompt, watch, end; and what an interrupt leaves behind.

import { ERRORS, type ErrorCode, isSwitchyardError, isTerminal, toSwitchyardError } from '@switchyard/contracts'
import type { Repositories } from '@switchyard/git'
import { newMessageId, type OpenCodeServer, type SessionRef } from '@switchyard/opencode'
import type { Bus, Processed } from '@switchyard/queue'
import type { Records, TaskRow } from '@switchyard/records'
import type { Logger } from 'pino'
import { type Ending, endTask, failure, resultOf } from './ending.ts'
import { Interrupt, Interrupted, type Reason } from './interrupt.ts'
import { RunRecord } from './record.ts'
import { Requests } from './requests.ts'
import { openSession } from './session.ts'
import { promptOptions } from './steering.ts'
import { type Found, Transcript } from './transcript.ts'
import { Watch } from './watch.ts'
import { identityOf, makeWorkspace } from './workspace.ts'

export type TaskRunDeps = {
  readonly records: Records
  readonly bus: Bus
  readonly server: OpenCodeServer
  readonly repositories: Repositories
  readonly workspacesDir: string
  readonly defaultModel: string | undefined
  readonly requestTimeoutMs: number
  readonly stuckMs: number
  readonly logger: Logger
}

const OVER: Processed = { againInMs: null }
const AGAIN: Processed = { againInMs: 0 }
const NOTHING_FOUND: Found = { root: [], children: [] }
/** How long an aborted session may take to write its last words, ms. */
const ABORT_MS = 1_500
/** setTimeout takes no more than this, ms. */
const MAX_TIMER_MS = 2 ** 31 - 1

export class TaskRun {
  readonly #deps: TaskRunDeps
  readonly #record: RunRecord
  readonly #interrupt = new Interrupt()
  #watch: Watch | null = null
  #place: SessionRef | null = null
  /** The session may run on: its server did not answer. Whoever clears up stops it when it is back. */
  #abortPending = false

  constructor(deps: TaskRunDeps, taken: TaskRow) {
    this.#deps = deps
    this.#record = new RunRecord(deps.records, deps.bus, deps.logger, taken)
  }

  /** Something was written for this task by the api: a control, a message, an answer. */
  async command(): Promise<void> {
    if (this.#watch) return this.#watch.command()
    const row = await this.#record.refresh()
    if (row.cancel_requested_at) this.#interrupt.raise('cancel')
    else if (row.pause_requested_at) this.#interrupt.raise('pause')
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
      if (row.cancel_requested_at) this.#interrupt.raise('cancel')
      else if (row.pause_requested_at) this.#interrupt.raise('pause')
      await this.#work()
      return OVER
    } catch (error) {
      return await this.#leave(error)
    } finally {
      clearTimeout(deadline)
      if (isTerminal(this.#record.row.status)) void this.#freeDirectory()
      logger.info({ task_id: row.id, status: this.#record.row.status, generation: row.generation }, 'run ended')
    }
  }

  async #work(): Promise<void> {
    const { records, bus, server, logger, defaultModel, requestTimeoutMs, stuckMs } = this.#deps
    const record = this.#record
    const taken = record.row
    const mayBePrompted = taken.prompt_id !== null
    // A session of an earlier owner is known before anything else, so that an interrupt stops it.
    if (taken.session_id !== null && taken.directory !== null)
      this.#place = { sessionId: taken.session_id, directory: taken.directory }
    this.#checkInterrupt()
    const [workspace] = await Promise.all([
      makeWorkspace({ ...this.#deps, records }, taken, this.#interrupt.signal),
      server.ready({ signal: this.#interrupt.signal }),
    ])
    this.#checkInterrupt()
    const place = await openSession(record, server, workspace.directory, this.#interrupt.signal)
    this.#place = place
    await record.write({
      from: ['preparing', 'running', 'input_required'],
      ...(record.row.status === 'preparing' ? { to: 'running' as const } : {}),
      set: {
        directory: workspace.directory,
        branch: workspace.branch,
        base_commit: workspace.baseCommit,
        session_id: place.sessionId,
        prompt_id: record.row.prompt_id ?? newMessageId(),
      },
      events: [
        {
          type: 'task_started',
          message: `started in ${workspace.directory} on branch ${workspace.branch}`,
          source_key: 'started',
          data: {
            directory: workspace.directory,
            branch: workspace.branch,
            base_commit: workspace.baseCommit,
            session_id: place.sessionId,
          },
        },
      ],
    })
    this.#watch = new Watch({
      record,
      server,
      bus,
      place,
      options: promptOptions(record, defaultModel),
      requests: new Requests(record, server, place.directory, requestTimeoutMs, this.#interrupt.signal, logger),
      stuckMs,
      interrupt: this.#interrupt,
      finish: (ending, found, messagesSent) => this.#finish(ending, found, messagesSent),
      logger,
    })
    await this.#watch.untilEnd(mayBePrompted)
  }

  /**
   * A server that keeps every directory it has seen grows by 50 MB with each, and hangs for good when its heap is cut
   * into more mappings than the kernel allows a process.
   */
  async #freeDirectory(): Promise<void> {
    if (!this.#place) return
    const { server, logger } = this.#deps
    await server.client.disposeDirectory(this.#place.directory).catch((error: Error) => {
      logger.debug({ task_id: this.#record.row.id, err: error.message }, 'the directory was not freed on the server')
    })
  }

  #checkInterrupt(): void {
    if (this.#interrupt.reason) throw new Interrupted(this.#interrupt.reason)
  }

  async #finish(ending: Ending, found: Found, messagesSent?: number): Promise<boolean> {
    const findings = { ...found, objectDirs: await this.#objectDirs() }
    const conditions = { abortPending: this.#abortPending, messagesSent }
    return (await endTask(this.#record, ending, findings, conditions, this.#deps.logger)) !== null
  }

  async #objectDirs(): Promise<readonly string[]> {
    const { project_id, directory } = this.#record.row
    if (project_id !== null)
      return [this.#deps.repositories.objectDirectory(await identityOf(this.#deps.records, project_id))]
    return directory === null ? [] : [`${directory}/.git/objects`]
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

  async #pause(): Promise<Processed> {
    const found = await this.#abortSession()
    const result = await resultOf(this.#record, { ...found, objectDirs: await this.#objectDirs() }, this.#deps.logger)
    const reason = this.#record.row.control_reason
    await this.#record.write({
      to: 'paused',
      // What it has come to so far stays on the record, should it never be resumed.
      set: { worker_id: null, pause_requested_at: null, result },
      events: [
        { type: 'task_paused', message: `paused${reason ? `: ${reason}` : ''}; the session is kept`, data: { reason } },
      ],
    })
    return OVER
  }

  async #stop(reason: Exclude<Reason, 'handover' | 'pause'>): Promise<Processed> {
    const found = await this.#abortSession()
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
    const found = this.#place ? await this.#abortSession() : NOTHING_FOUND
    await this.#finish(failure(cause.code, `${cause.message}. ${cause.hint}`), found)
    return OVER
  }

  /** Stops the session with all its subagents and reads what it had done. A server that is away runs nothing. */
  async #abortSession(): Promise<Found> {
    if (!this.#place) return NOTHING_FOUND
    const { server, logger } = this.#deps
    await this.#record.refresh()
    const signal = AbortSignal.timeout(ABORT_MS)
    try {
      await server.client.abortTree(this.#place, { signal })
      const transcript = new Transcript(server, this.#place)
      const found = await transcript.read(signal)
      await this.#record.append(transcript.tellAll(found))
      return found
    } catch (error) {
      if (isSwitchyardError(error, 'stale_owner')) throw error
      logger.warn({ task_id: this.#record.row.id, err: error }, 'the session could not be stopped yet')
      this.#abortPending = true
      return NOTHING_FOUND
    }
  }
}
