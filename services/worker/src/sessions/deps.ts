// What the work on sessions is done with.

import { SwitchyardError } from '@switchyard/contracts'
import type { OpenCodeClient, OpenCodeServer } from '@switchyard/opencode'
import type { Records } from '@switchyard/records'
import type { Logger } from 'pino'

export type SessionDeps = {
  readonly records: Records
  /** Null where tasks run in containers alone. */
  readonly server: OpenCodeServer | null
  /** DEFAULT_MODEL: `provider/model`. */
  readonly defaultModel: string | undefined
  readonly logger: Logger
}

/** @throws SwitchyardError `not_supported` */
export const clientOf = ({ server }: SessionDeps): OpenCodeClient => {
  if (server) return server.client
  throw new SwitchyardError('not_supported', 'sessions need an OpenCode server, and this worker has none')
}
