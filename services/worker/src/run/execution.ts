// What runs a task, by its mode: on an OpenCode server, or in a container of its own. Everything around it is the same.

import type { Config } from '@switchyard/config'
import type { Runner } from '@switchyard/docker'
import type { Repositories } from '@switchyard/git'
import type { Bus } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import type { Layout } from '@switchyard/workspace'
import type { Logger } from 'pino'
import type { ServerPool } from '../servers/server-pool.ts'
import type { Ending } from './end-task.ts'
import type { Interrupt } from './interrupt.ts'
import type { Found } from './opencode/transcript.ts'
import type { RunRecord } from './run-record.ts'

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
  /**
   * Writes the end. With `messagesSent` it refuses, and returns false, where callers have sent more messages than these:
   * the work goes on with them.
   */
  readonly finish: (ending: Ending, found: Found, messagesSent?: number) => Promise<boolean>
}

export type Halted = {
  readonly found: Found
  /** It may still run: what it runs on did not answer. Whoever clears up stops that of an ended task when it is back. */
  readonly abortPending: boolean
}

export type Execution = {
  /**
   * Works until the end is written.
   *
   * @throws Interrupted by the run's interrupt; SwitchyardError: the reason why the task fails.
   */
  readonly work: () => Promise<void>
  /** Something was written for this task by the api: a control, a message, an answer. */
  readonly command: () => Promise<void>
  /** Stops the work, or holds it so that it can go on, and tells what there is so far. */
  readonly halt: (how: 'stop' | 'pause') => Promise<Halted>
  /** What a paused task keeps, for its event. */
  readonly kept: string
  /** The end is written: gives back what the work has used. */
  readonly release: () => Promise<void>
  /** The run is over here, however it came: lets go of what others may need. */
  readonly close: () => void
}

/** Raises what the record asks for. */
export const raiseRequested = (record: RunRecord, interrupt: Interrupt): void => {
  if (record.row.cancel_requested_at) interrupt.raise('cancel')
  else if (record.row.pause_requested_at) interrupt.raise('pause')
}
