// A task on an OpenCode server: leases the server, creates the working directory, opens the
// session, follows its turn.

import { isSwitchyardError } from '@switchyard/contracts'
import { newMessageId, type OpenCodeServer, type SessionRef } from '@switchyard/opencode'
import { createWorkspace, type Workspace } from '@switchyard/workspace'
import type { ServerLease } from '../../servers/server-leases.ts'
import { type Execution, type Halted, type RunContext, raiseRequested } from '../execution.ts'
import type { Findings, Verdict } from '../verdict.ts'
import { openSession } from './open-session.ts'
import { hasOwnServer, returnSession, runAlone } from './run-alone.ts'
import { SessionFollower } from './session-follower.ts'
import { SessionRequests } from './session-requests.ts'
import { promptOptionsOf } from './task-session.ts'
import { Transcript } from './transcript.ts'

const NO_FINDINGS: Findings = { root: [], children: [] }
/** How long an aborted session may take to write its last messages, ms. */
const ABORT_MS = 1_500
/**
 * How long a stopped server may take to start again, so that a session can be aborted and read, ms.
 */
const START_MS = 20_000

export class OpenCodeExecution implements Execution {
  readonly whenPaused = 'the session is stored'
  readonly #run: RunContext
  #lease: ServerLease | null = null
  #ref: SessionRef | null = null
  #follower: SessionFollower | null = null

  constructor(run: RunContext) {
    this.#run = run
    // An interrupt before the session is opened again stops the session of an earlier owner.
    const { session_id: sessionId, directory } = run.record.row
    if (sessionId !== null && directory !== null) this.#ref = { sessionId, directory }
  }

  async command(): Promise<void> {
    if (this.#follower) return this.#follower.command()
    const { record, interrupt } = this.#run
    await record.refresh()
    raiseRequested(record, interrupt)
  }

  async work(): Promise<Verdict> {
    for (;;) {
      this.#follower ??= await this.#start()
      const verdict = await this.#follower.untilVerdict()
      if (verdict) return verdict
      await this.#runAlone()
    }
  }

  /** Has the turn resumed by a new follower, as soon as the task runs alone. */
  async #runAlone(): Promise<void> {
    this.#follower?.close()
    this.#follower = null
    if (!this.#ref || !this.#lease) return
    const own = await runAlone(this.#run, this.#ref, this.#lease.server)
    if (!own) return
    this.#lease.release()
    this.#lease = own
  }

  async #start(): Promise<SessionFollower> {
    const { deps, record, interrupt } = this.#run
    const { signal } = interrupt
    const mayBePrompted = record.row.prompt_id !== null
    const [workspace, server] = await Promise.all([
      createWorkspace(deps, record.row, signal),
      this.#leaseServer(signal),
    ])
    interrupt.check()
    const ref = await openSession(record, server, workspace.directory, signal)
    this.#ref = ref
    await this.#recordStart(workspace, ref)
    const session = { record, server, ref, signal, promptOptions: promptOptionsOf(record, deps.defaultModel) }
    const { requestTimeoutMs, stuckMs, bus, logger } = deps
    const requests = new SessionRequests(session, requestTimeoutMs, logger)
    const follower = new SessionFollower({ session, requests, interrupt, stuckMs, bus, logger })
    // Commands are the follower's from here on.
    this.#follower = follower
    await follower.start(mayBePrompted)
    return follower
  }

  async #recordStart({ directory, branch, baseCommit }: Workspace, { sessionId }: SessionRef): Promise<void> {
    const { record } = this.#run
    const location = { directory, branch, base_commit: baseCommit, session_id: sessionId }
    await record.write({
      from: ['preparing', 'running', 'input_required'],
      ...(record.row.status === 'preparing' ? { to: 'running' as const } : {}),
      set: { ...location, prompt_id: record.row.prompt_id ?? newMessageId() },
      events: [
        {
          type: 'task_started',
          message: `started in ${directory} on branch ${branch}`,
          source_key: 'started',
          data: location,
        },
      ],
    })
  }

  /** Leases the server of the task until the run is over. */
  async #leaseServer(signal: AbortSignal): Promise<OpenCodeServer> {
    const { deps, record } = this.#run
    if (this.#lease) return this.#lease.server
    // The turn of an earlier owner may be running there, and may wait for a reply.
    const continuesWork = () => record.row.prompt_id !== null
    const lease = await deps.servers.lease(record.row.server_id, { signal, continuesWork })
    // A halt may have leased it meanwhile.
    if (this.#lease) lease.release()
    else this.#lease = lease
    await this.#lease.server.ready({ signal })
    return this.#lease.server
  }

  /** Aborts the session with all its subagents and reads what it has done. */
  async halt(): Promise<Halted> {
    this.#follower?.close()
    if (!this.#ref) return { findings: NO_FINDINGS, isAbortPending: false }
    const { deps, record } = this.#run
    await record.refresh()
    try {
      const server = await this.#leaseServer(AbortSignal.timeout(START_MS))
      const signal = AbortSignal.timeout(ABORT_MS)
      await server.client.abortTree(this.#ref, { signal })
      const transcript = new Transcript(server, this.#ref)
      const findings = await transcript.read(signal)
      await record.append(transcript.narrateAll(findings))
      return { findings, isAbortPending: false }
    } catch (error) {
      if (isSwitchyardError(error, 'stale_owner')) throw error
      // It was deleted, and what ran in it with it.
      if (isSwitchyardError(error, 'session_lost')) return { findings: NO_FINDINGS, isAbortPending: false }
      deps.logger.warn({ task_id: record.row.id, err: error }, 'failed to abort session; it is aborted later')
      return { findings: NO_FINDINGS, isAbortPending: true }
    }
  }

  close(): void {
    this.#follower?.close()
    this.#lease?.release()
  }

  /**
   * Unloads the directory on the server. A server that never unloads one grows by 50 MB with each,
   * and hangs permanently when its heap has more mappings than the kernel allows for a process. The
   * session stays until the working directory is removed. A sandbox stays loaded, because it may
   * have other sessions.
   */
  async cleanUp(): Promise<void> {
    if (!this.#ref || !this.#lease) return
    const { deps, record } = this.#run
    if (hasOwnServer(record.row)) return await returnSession(deps, record.row, this.#ref, this.#lease.server)
    if (record.row.sandbox !== null) return
    this.#lease.server.client.disposeDirectory(this.#ref.directory).catch((error: Error) => {
      deps.logger.debug({ task_id: record.row.id, err: error.message }, 'failed to unload directory on server')
    })
  }
}
