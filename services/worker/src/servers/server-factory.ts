// The interface behind which a dedicated OpenCode server is created, as a child process or as a
// container. `key` is the id of a project, or that of the server of an API key.

import { createHash } from 'node:crypto'
import type { ServerLauncher } from '@switchyard/opencode'
import { ownerOfServer } from '@switchyard/records'
import type { DedicatedServerSettings } from './server-settings.ts'

type LauncherOptions = {
  readonly key: string
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
  readonly directoryOf: (key: string) => string
  /** Returns the server's password, which is the same in every worker. */
  readonly password: (key: string) => Promise<string>
  /**
   * Deletes everything that the server has stored, sessions included. The server must not be
   * running.
   *
   * @param existed - false if no server was ever recorded; the container engine need not be
   *   reachable then.
   */
  readonly remove: (key: string, existed: boolean) => Promise<void>
}

/**
 * Returns the name of a dedicated server's directory and container: the project's id, or a hash of
 * the API key's name, which may contain any character.
 */
export const serverDirectoryName = (key: string): string => {
  const owner = ownerOfServer(key)
  return owner === undefined ? key : `owner_${createHash('sha256').update(owner).digest('hex').slice(0, 24)}`
}
