// Warnings for operators about tasks that do not go where the settings say.

import { POOLS } from '@switchyard/contracts'
import { isServed, isUnserved, mayLeaveServers, type Rules } from './decide.ts'

/** Yields one text per deviation. */
export function* warningsOf(rules: Rules): Generator<string> {
  const { serverEnabled, percent, fixed, breaker, pools, unserved } = rules
  const hasServer = !isUnserved(rules, 'opencode')
  const wantsDocker = !serverEnabled || fixed === 'docker' || (fixed !== 'opencode' && percent < 100)
  const wantsServer = serverEnabled && fixed !== 'docker' && (fixed === 'opencode' || percent > 0)
  const isDockerOnly = !serverEnabled || fixed === 'docker'
  if (wantsDocker && isUnserved(rules, 'docker'))
    yield isDockerOnly || !isServed(rules, 'opencode')
      ? 'no live worker serves docker mode; its tasks wait'
      : 'no live worker serves docker mode; its tasks go to OpenCode servers'
  if (wantsServer && !hasServer)
    yield fixed === 'opencode' || !isServed(rules, 'docker') || !mayLeaveServers(rules)
      ? 'no live worker serves OpenCode servers; their tasks wait'
      : 'no live worker serves OpenCode servers; their tasks go to docker'
  for (const pool of POOLS)
    if (wantsServer && hasServer && unserved.has(pool) && pools[pool] > 0)
      yield `pool ${pool} has a share of ${pools[pool]} % but no live worker; its tasks go to the other pool`
  if (fixed === null && breaker.state !== 'closed')
    yield `the breaker is ${breaker.state.replace('_', ' ')}; new tasks avoid ${breaker.side}`
}
