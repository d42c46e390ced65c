// A task on an OpenCode server: session, prompt, watch.

import { isSwitchyardError } from '@switchyard/contracts'
import { newMessageId, type OpenCodeServer, type SessionRef } from '@switchyard/opencode'
import { createWorkspace } from '@switchyard/workspace'
import type { ServerLease } from '../../servers/server-leases.ts'
import { type Execution, type Halted, type RunContext, raiseRequested } from '../execution.ts'
import { promptOptions } from './deliver-messages.ts'
import { openSession } from './open-session.ts'
import { Watch } from './session-follower.ts'
import { Requests } from './session-requests.ts'
import { type Found, Transcript } from './transcript.ts'

const NOTHING_FOUND: Found = { root: [], children: [] }
/** How long an aborted session may take to write its last words, ms. */
const ABORT_MS = 1_500
/** How long a server that had ended may take to come back, to stop a session and read what it had done, ms. */
const START_MS = 20_000

export class OpenCodeExecution implements Execution {
  readonly kept = 'the session is kept'
  readonly #run: RunContext
  #use: ServerLease | null = null
  #watch: Watch | null = null
  #place: SessionRef | null = null

  constructor(run: RunContext) {
    this.#run = run
    // A session of an earlier owner is known before anything else, so that an interrupt stops it.
    const { session_id: sessionId, directory } = run.record.row
    if (sessionId !== null && directory !== null) this.#place = { sessionId, directory }
  }

  /** The server of the task's row, held until the run is over: its project's own is started for it. */
  async #open(signal: AbortSignal): Promise<OpenCodeServer> {
    const { deps, record } = this.#run
    const server = this.#use?.server
    if (server) return server
    // The turn of one that was taken over may run there still, and wait for an answer.
    const continuesWork = () => record.row.prompt_id !== null
    const use = await deps.servers.lease(record.row.server_id, { signal, continuesWork })
    // A second one that was asked for meanwhile.
    if (this.#use) use.release()
    else this.#use = use
    await this.#use.server.ready({ signal })
    return this.#use.server
  }

  async command(): Promise<void> {
    if (this.#watch) return this.#watch.command()
    const { record, interrupt } = this.#run
    await record.refresh()
    raiseRequested(record, interrupt)
  }

  async work(): Promise<void> {
    const { deps, record, interrupt, finish } = this.#run
    const { bus, logger, defaultModel, requestTimeoutMs, stuckMs } = deps
    const mayBePrompted = record.row.prompt_id !== null
    const [workspace, server] = await Promise.all([
      createWorkspace(deps, record.row, interrupt.signal),
      this.#open(interrupt.signal),
    ])
    interrupt.check()
    const place = await openSession(record, server, workspace.directory, interrupt.signal)
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
      requests: new Requests(record, server, place.directory, requestTimeoutMs, interrupt.signal, logger),
      stuckMs,
      interrupt,
      finish,
      logger,
    })
    await this.#watch.untilEnd(mayBePrompted)
  }

  /** Aborts the session with all its subagents and reads what it had done. */
  async halt(): Promise<Halted> {
    if (!this.#place) return { found: NOTHING_FOUND, abortPending: false }
    const { deps, record } = this.#run
    await record.refresh()
    try {
      const server = this.#use?.server ?? (await this.#open(AbortSignal.timeout(START_MS)))
      const signal = AbortSignal.timeout(ABORT_MS)
      await server.client.abortTree(this.#place, { signal })
      const transcript = new Transcript(server, this.#place)
      const found = await transcript.read(signal)
      await record.append(transcript.tellAll(found))
      return { found, abortPending: false }
    } catch (error) {
      if (isSwitchyardError(error, 'stale_owner')) throw error
      // It was deleted, and what runs in it with it.
      if (isSwitchyardError(error, 'session_lost')) return { found: NOTHING_FOUND, abortPending: false }
      deps.logger.warn({ task_id: record.row.id, err: error }, 'the session could not be stopped yet')
      return { found: NOTHING_FOUND, abortPending: true }
    }
  }

  close(): void {
    this.#use?.release()
  }

  /**
   * The session stays until the working directory goes; what the server holds for the directory is freed now. One that
   * keeps every directory it has seen grows by 50 MB with each, and hangs for good when its heap is cut into more
   * mappings than the kernel allows a process. Others may hold sessions in a sandbox.
   */
  async release(): Promise<void> {
    if (!this.#place || !this.#use || this.#run.record.row.sandbox !== null) return
    const { deps, record } = this.#run
    this.#use.server.client.disposeDirectory(this.#place.directory).catch((error: Error) => {
      deps.logger.debug({ task_id: record.row.id, err: error.message }, 'the directory was not freed on the server')
    })
  }
}
