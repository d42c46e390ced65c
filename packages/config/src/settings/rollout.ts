// The rollout between OpenCode servers and Docker mode, and its circuit breaker.

import { setting } from './setting.ts'
import { count, DAY, MINUTE, milliseconds, SECOND } from './types.ts'

export const rollout = {
  title: 'Rollout',
  settings: {
    OPENCODE_ROLLOUT_PERCENT: setting(count(100, 0, 100), {
      description:
        'Percentage of agents whose tasks run on OpenCode servers, at the first start. `PUT /rollout` changes it later.',
      services: ['api'],
    }),
    OPENCODE_ROLLOUT_WINDOW_MS: setting(milliseconds(5 * MINUTE, SECOND, DAY), {
      description: 'The breaker compares tasks that ended within this time.',
      services: ['api'],
    }),
    OPENCODE_ROLLOUT_MIN_TASKS: setting(count(10, 1, 100_000), {
      description: 'Ended tasks of a side that the breaker needs before it acts.',
      services: ['api'],
    }),
    OPENCODE_ROLLOUT_FAILURE_PERCENT: setting(count(30, 1, 100), {
      description: 'Percentage of infrastructure failures at which the breaker opens.',
      services: ['api'],
    }),
    OPENCODE_ROLLOUT_COOLDOWN_MS: setting(milliseconds(MINUTE, 100, DAY), {
      description: 'How long the breaker stays open before it probes; longer after each failed probe.',
      services: ['api'],
    }),
    OPENCODE_ROLLOUT_PROBES: setting(count(3, 1, 1_000), {
      description: 'Probe tasks that must succeed before the breaker closes.',
      services: ['api'],
    }),
  },
} as const
