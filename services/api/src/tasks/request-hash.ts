// The hash of a call's arguments: a repeated idempotency key with different arguments is refused.

import { createHash } from 'node:crypto'
import type { ExecuteTask } from '@switchyard/contracts'

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]))
}

/** Hashes the arguments that define the task. Left out are the key and agent, which find the row, and the wait. */
export const requestHash = (input: ExecuteTask): string => {
  const { sync: _sync, wait_ms: _waitMs, idempotency_key: _key, agent_id: _agent, ...defining } = input
  return createHash('sha256')
    .update(JSON.stringify(sorted(defining)))
    .digest('hex')
}
