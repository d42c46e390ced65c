// The interface between the supervisor and the ways to get an OpenCode server: start one, or use an existing one.

import type { SwitchyardError } from '@switchyard/contracts'
import type { Endpoint } from '../connection/endpoint.ts'

/** A server that has answered a health check. */
export type RunningServer = Endpoint & {
  readonly version: string
  /** The pid of a child process; undefined for any other server. */
  readonly pid: number | undefined
  /** The id of the server's container, if Switchyard created it. */
  readonly container?: string
  /** Resolves with the memory of the server and its child processes in bytes, or undefined when that is unknown. */
  readonly memory: () => Promise<number | undefined>
  /** Resolves with the reason when the server and its tools have exited. Never resolves for a remote server. */
  readonly exited: Promise<SwitchyardError>
  /** Stops the server and everything it started. Safe to call twice. Does nothing for a remote server. */
  readonly stop: () => Promise<void>
  /** Kills an unresponsive server with SIGKILL. Does nothing for a remote server. */
  readonly kill: () => Promise<void>
}

export type ServerLauncher = {
  /** `child` and `container` are restarted after a crash. `remote` is only monitored. */
  readonly kind: 'child' | 'container' | 'remote'
  /** Names the server in logs and records. Does not change when the server restarts. */
  readonly id: string
  /**
   * Starts or finds the server, and resolves when it is healthy.
   *
   * @throws SwitchyardError `opencode_unavailable`, or one that is not retryable when no retry can succeed
   */
  readonly launch: (options: { readonly signal: AbortSignal }) => Promise<RunningServer>
}
