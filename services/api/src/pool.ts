// The connection pool of the api: many short statements, and short timeouts.

import type { RecordsOptions } from '@switchyard/records'

export const POOL = {
  max: 20,
  connectTimeoutMs: 2_500,
  // The client adds 2 s to this, for a database that is paused and does not enforce it.
  statementTimeoutMs: 1_500,
} satisfies Partial<RecordsOptions>
