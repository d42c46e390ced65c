// What does not go as the settings say, in words for an operator.

import { POOLS } from '@switchyard/contracts'
import { isGone, isServed, mayLeaveServers, type Rules } from './decide.ts'

export function* warningsOf(rules: Rules): Generator<string> {
  const { serverEnabled, percent, fixed, breaker, pools, gone } = rules
  const hasServer = !isGone(rules, 'opencode')
  const wantsDocker = !serverEnabled || fixed === 'docker' || (fixed !== 'opencode' && percent < 100)
  const wantsServer = serverEnabled && fixed !== 'docker' && (fixed === 'opencode' || percent > 0)
  const isHeld = !serverEnabled || fixed === 'docker'
  if (wantsDocker && isGone(rules, 'docker'))
    yield isHeld || !isServed(rules, 'opencode')
      ? 'no live worker takes tasks in docker mode: they wait'
      : 'no live worker takes tasks in docker mode: they go to OpenCode servers'
  if (wantsServer && !hasServer)
    yield fixed === 'opencode' || !isServed(rules, 'docker') || !mayLeaveServers(rules)
      ? 'no live worker takes tasks for OpenCode servers: they wait'
      : 'no live worker takes tasks for OpenCode servers: they go to docker'
  for (const pool of POOLS)
    if (wantsServer && hasServer && gone.has(pool) && pools[pool] > 0)
      yield `pool ${pool} has ${pools[pool]} % and no live worker: its tasks go to the other pool`
  if (fixed === null && breaker.state !== 'closed')
    yield `the breaker is ${breaker.state.replace('_', ' ')}: new tasks stay away from ${breaker.side}`
}
