// How a project's own OpenCode server is made: as a child process, or in a container.

import type { ServerLauncher } from '@switchyard/opencode'

export type ServerSettings = {
  /** Variables of its own, over those of the installation. */
  readonly environment: Readonly<Record<string, string>>
  /** The model of sessions that name none. */
  readonly model: string | null
  /** Where it should listen, if that is free. */
  readonly port: number | null
  readonly portsOfOthers: ReadonlySet<number>
  /** Bytes at which it is replaced. */
  readonly memoryLimit: number
}

type ServerSpec = {
  readonly projectId: string
  /** Its name in logs and records. */
  readonly id: string
  /** Asked at every start: what was changed meanwhile holds then. */
  readonly settings: () => Promise<ServerSettings>
}

export type ServerMaker = {
  readonly kind: 'child' | 'container'
  /** False where what it takes is not there: a Docker engine. */
  readonly isPossible: () => boolean
  readonly make: (spec: ServerSpec) => ServerLauncher
  /** Where what is kept of a project's server is. */
  readonly directoryOf: (projectId: string) => string
  /** The password that its server has, whoever made it. */
  readonly password: (projectId: string) => Promise<string>
  /**
   * Deletes all that a server has kept, its sessions among it. It must not run.
   *
   * @param wasMade - false where there was none as far as anybody knows: then what it would take to look is not missed
   */
  readonly remove: (projectId: string, wasMade: boolean) => Promise<void>
}
