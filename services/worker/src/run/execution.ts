// The interface behind which a task runs, by its mode: on an OpenCode server, or in containers of
// its own.

import type { Config } from '@switchyard/config'
import type { Runner } from '@switchyard/docker'
import type { Repositories } from '@switchyard/git'
import type { Bus } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import type { Layout } from '@switchyard/workspace'
import type { Logger } from 'pino'
import type { ServerPool } from '../servers/server-pool.ts'
import type { Interrupt } from './interrupt.ts'
import type { RunRecord } from './run-record.ts'
import type { Findings, Verdict } from './verdict.ts'

export type TaskRunDeps = {
  readonly records: Records
  readonly bus: Bus
  readonly servers: ServerPool
  readonly runner: Runner
  readonly repositories: Repositories
  readonly layout: Layout
  readonly diskBytes: Config['docker']['diskBytes']
  readonly defaultModel: string | undefined
  readonly requestTimeoutMs: number
  readonly stuckMs: number
  readonly logger: Logger
}

/** What an execution works with: one run of one task. */
export type RunContext = {
  readonly deps: TaskRunDeps
  readonly record: RunRecord
  readonly interrupt: Interrupt
}

export type Halted = {
  readonly findings: Findings
  /**
   * The session may still be running, because its server or engine did not answer. It is stopped
   * when that is back.
   */
  readonly isAbortPending: boolean
}

export type Execution = {
  /** What a pause means for the session or the container; it ends the message of the event. */
  readonly whenPaused: string
  /**
   * Works until there is a verdict. If callers have sent more messages than the verdict has seen,
   * it is called again: it delivers them and continues.
   *
   * @throws Interrupted by the run's interrupt; SwitchyardError: why the task fails.
   */
  readonly work: () => Promise<Verdict>
  /** Reads the record again, to which the api has written a control, a message or a reply. */
  readonly command: () => Promise<void>
  /** Stops the work, or pauses it so that it can be resumed, and returns what there is so far. */
  readonly halt: (how: 'stop' | 'pause') => Promise<Halted>
  /** Frees what the work has used. Called once the end is written. */
  readonly cleanUp: () => Promise<void>
  /** Releases what this run has leased and subscribed to, whatever its outcome. */
  readonly close: () => void
}

/** Interrupts the run if the record requests a cancel or a pause. */
export const raiseRequested = (record: RunRecord, interrupt: Interrupt): void => {
  if (record.row.cancel_requested_at) interrupt.raise('cancel')
  else if (record.row.pause_requested_at) interrupt.raise('pause')
}
