// Computes the share of new tasks that each queue gets, applying the rules in the same order as `decide`.

import type { Pool, QueueName } from '@switchyard/contracts'
import { isServed, isUnserved, mayLeaveServers, otherPool, type Rules } from './decide.ts'

const serverShare = (rules: Rules): number => {
  const { serverEnabled, fixed, percent, breaker } = rules
  if (!serverEnabled || fixed === 'docker') return 0
  if (fixed === 'opencode') return 100
  const isTripped = fixed !== 'percent' && breaker.state !== 'closed'
  const wanted = !isTripped ? percent : breaker.side === 'opencode' ? 0 : 100
  if (isUnserved(rules, 'docker') && isServed(rules, 'opencode')) return 100
  if (isUnserved(rules, 'opencode') && isServed(rules, 'docker') && mayLeaveServers(rules)) return 0
  return wanted
}

const poolShare = (pool: Pool, { pools, unserved }: Rules): number => {
  const other = otherPool(pool)
  if (unserved.has(pool) === unserved.has(other)) return pools[pool]
  return unserved.has(pool) ? 0 : 100
}

/** Returns the share of a queue in percent, ignoring the few probes. */
export const shareOf = (queueName: QueueName, rules: Rules): number =>
  queueName === 'docker' ? 100 - serverShare(rules) : (serverShare(rules) * poolShare(queueName, rules)) / 100
