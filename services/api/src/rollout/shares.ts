// The part of new tasks that a queue gets, all rules taken together. The same order of rules as the decision itself.

import type { Pool, QueueName } from '@switchyard/contracts'
import { isGone, isServed, mayLeaveServers, otherPool, type Rules } from './decide.ts'

const serverShare = (rules: Rules): number => {
  const { serverEnabled, fixed, percent, breaker } = rules
  if (!serverEnabled || fixed === 'docker') return 0
  if (fixed === 'opencode') return 100
  const isTripped = fixed !== 'percent' && breaker.state !== 'closed'
  const wanted = !isTripped ? percent : breaker.side === 'opencode' ? 0 : 100
  if (isGone(rules, 'docker') && isServed(rules, 'opencode')) return 100
  if (isGone(rules, 'opencode') && isServed(rules, 'docker') && mayLeaveServers(rules)) return 0
  return wanted
}

const poolShare = (pool: Pool, { pools, gone }: Rules): number => {
  const other = otherPool(pool)
  if (gone.has(pool) === gone.has(other)) return pools[pool]
  return gone.has(pool) ? 0 : 100
}

/** In percent; the few tasks that are probes aside. */
export const shareOf = (queueName: QueueName, rules: Rules): number =>
  queueName === 'docker' ? 100 - serverShare(rules) : (serverShare(rules) * poolShare(queueName, rules)) / 100
