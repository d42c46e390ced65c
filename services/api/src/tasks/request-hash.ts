// A fingerprint of what a call asks for: the same key with another fingerprint is refused.

import { createHash } from 'node:crypto'
import type { ExecuteTask } from '@switchyard/contracts'

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]))
}

/** The key and the agent are what the row is found by, and how long the caller waits changes nothing of the task. */
export const requestHash = (input: ExecuteTask): string => {
  const { sync: _sync, wait_ms: _waitMs, idempotency_key: _key, agent_id: _agent, ...asked } = input
  return createHash('sha256')
    .update(JSON.stringify(sorted(asked)))
    .digest('hex')
}
