// What the work on sessions is done with.

import type { OpenCodeServer } from '@switchyard/opencode'
import type { ProjectRow, Records } from '@switchyard/records'
import type { Logger } from 'pino'
import type { ServerPool } from '../servers/server-pool.ts'
import type { MessageCounts } from './message-counts.ts'

export type SessionDeps = {
  readonly records: Records
  readonly servers: Pick<ServerPool, 'running' | 'find'>
  /**
   * The server of a project or of an API key, started if need be and held until the call ends; not waited for longer than a caller
   * waits.
   *
   * @throws SwitchyardError `opencode_unavailable`, `not_supported`
   */
  readonly serverFor: (
    project: Pick<ProjectRow, 'id' | 'isolation'> & { readonly server: string | null },
  ) => Promise<OpenCodeServer>
  readonly counts: MessageCounts
  /** DEFAULT_MODEL: `provider/model`. */
  readonly defaultModel: string | undefined
  readonly logger: Logger
}
