// What the look at what there is works with.

import type { Records } from '@switchyard/records'
import type { Logger } from 'pino'
import type { ServerPool } from '../servers/pool.ts'

export type DiscoveryDeps = {
  readonly records: Records
  readonly servers: ServerPool
  readonly workspacesDir: string
  readonly logger: Logger
}
