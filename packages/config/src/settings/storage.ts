// Where Switchyard stores things.

import { CORE, setting } from './setting.ts'
import { string, urlOf } from './types.ts'

export const storage = {
  title: 'Storage',
  settings: {
    SWITCHYARD_HOME: setting(string(), {
      description: 'Directory that holds everything `npm start` stores.',
      default: '.switchyard',
      example: '.switchyard',
      services: [...CORE, 'model-gateway'],
      isFixedInStack: true,
    }),
    WORKSPACES_DIR: setting(string(), {
      description: 'Directory in which tasks work.',
      default: '`workspaces` in `SWITCHYARD_HOME`',
      services: ['worker', 'docker-filter'],
      isFixedInStack: true,
    }),
    DATABASE_URL: setting(urlOf('postgres', 'postgresql'), {
      description: 'Your own Postgres.',
      default: "the stack's, or an embedded one",
      example: 'postgres://user:password@host:5432/switchyard',
      isSecret: true,
      services: [...CORE, 'model-gateway'],
    }),
    REDIS_URL: setting(urlOf('redis', 'rediss'), {
      description: 'Your own Redis or Valkey; needs `DATABASE_URL` too.',
      default: "the stack's; none with `npm start`",
      example: 'redis://host:6379',
      isSecret: true,
      services: CORE,
    }),
  },
} as const
