// The interface behind which a project's own OpenCode server is created, as a child process or as a
// container.

import type { ServerLauncher } from '@switchyard/opencode'
import type { DedicatedServerSettings } from './server-settings.ts'

type LauncherOptions = {
  readonly projectId: string
  /** The server's name in logs and records. */
  readonly id: string
  /** Called at every start, so that changed settings apply after a restart. */
  readonly settings: () => Promise<DedicatedServerSettings>
}

export type ServerFactory = {
  readonly kind: 'child' | 'container'
  /** Returns false while servers cannot be created, for instance without a Docker engine. */
  readonly isAvailable: () => boolean
  readonly createLauncher: (options: LauncherOptions) => ServerLauncher
  /** Returns the directory with the server's data and password. */
  readonly directoryOf: (projectId: string) => string
  /** Returns the server's password, which is the same in every worker. */
  readonly password: (projectId: string) => Promise<string>
  /**
   * Deletes everything that the server has stored, sessions included. The server must not be
   * running.
   *
   * @param existed - false if no server was ever recorded; the container engine need not be
   *   reachable then.
   */
  readonly remove: (projectId: string, existed: boolean) => Promise<void>
}
