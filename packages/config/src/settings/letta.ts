// The Letta server whose agents are notified.

import { setting } from './setting.ts'
import { boolean, DAY, HOUR, milliseconds, SECOND, string, urlOf } from './types.ts'

export const letta = {
  title: 'Letta',
  settings: {
    LETTA_API_URL: setting(urlOf('http', 'https'), {
      description:
        'Base URL of a Letta server, without `/v1`. Its agents are notified when their tasks end or have a request.',
      example: 'https://api.letta.com',
      services: ['notifier'],
    }),
    LETTA_API_TOKEN: setting(string(), {
      description: 'API key of Letta, or the password of your own server.',
      example: '<token>',
      isSecret: true,
      services: ['notifier'],
    }),
    LETTA_MEMORY_BLOCKS: setting(boolean(false), {
      description: 'Give an agent a memory block for each of its running tasks.',
      services: ['notifier'],
    }),
    LETTA_BLOCK_INTERVAL_MS: setting(milliseconds(5 * SECOND, SECOND, HOUR), {
      description: 'Shortest time between updates of a block.',
      services: ['notifier'],
    }),
    LETTA_BLOCK_RETENTION_MS: setting(milliseconds(DAY, 0, 365 * DAY), {
      description: 'How long after the end of its task a block is deleted.',
      services: ['notifier'],
    }),
  },
} as const
