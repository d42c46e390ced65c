// The seam between "a child process of ours" and "a server that something else started".

import type { SwitchyardError } from '@switchyard/contracts'

/** Where a server is reached. */
export type Endpoint = { readonly url: string; readonly password: string }

/** A server that answered its health check once. */
export type RunningServer = Endpoint & {
  readonly version: string
  /** Of the child process; undefined for any other. */
  readonly pid: number | undefined
  /** Id of the container that it runs in, where we made that. */
  readonly container?: string
  /** Bytes that it and everything it started hold now; undefined where nobody can say. */
  readonly memory: () => Promise<number | undefined>
  /** Resolves with the reason when it has ended and its tools are gone. Never for a remote server. */
  readonly exited: Promise<SwitchyardError>
  /** Ends it and everything it started. Safe to call twice. For a remote server: nothing. */
  readonly stop: () => Promise<void>
  /** Ends a server that no longer reacts: no farewell, SIGKILL at once. For a remote server: nothing. */
  readonly kill: () => Promise<void>
}

export type ServerLauncher = {
  /** `child`, `container`: a crash is answered with a new start. `remote`: only watched. */
  readonly kind: 'child' | 'container' | 'remote'
  /** Stable name for logs and records: the same server after a restart has the same one. */
  readonly id: string
  /**
   * Starts the server, or finds it, and waits until it serves.
   *
   * @throws SwitchyardError `opencode_unavailable`, or one that is not retryable when no further try can help.
   */
  readonly launch: (options: { readonly signal: AbortSignal }) => Promise<RunningServer>
}
