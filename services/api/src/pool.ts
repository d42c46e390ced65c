// How an api of its own uses the database: many short statements, and no caller who waits long for one.

import type { RecordsOptions } from '@switchyard/records'

export const POOL = {
  max: 20,
  connectTimeoutMs: 2_500,
  // A database that is paused answers nothing; the client gives a statement 2 s more than this.
  statementTimeoutMs: 1_500,
} satisfies Partial<RecordsOptions>
