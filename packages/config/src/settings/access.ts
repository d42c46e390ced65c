// Where Switchyard listens, and who may call it.

import { z } from 'zod'
import { apiKeys } from '../keys.ts'
import { CORE, setting } from './setting.ts'
import { boolean, choice, count, parsed, string } from './types.ts'

/** The sets of MCP tools; `/mcp/<set>` serves one of them. */
export const TOOLSETS = ['tasks', 'projects', 'sessions'] as const
export type Toolset = (typeof TOOLSETS)[number]

const toolsets = z.preprocess(
  (value) =>
    typeof value === 'string' && value.trim() !== ''
      ? value.split(',').map((entry) => entry.trim())
      : ['tasks', 'projects'],
  z.array(z.enum(TOOLSETS, `may hold only ${TOOLSETS.join(', ')}`)).min(1),
)

export const access = {
  title: 'Listening and access',
  settings: {
    NODE_ENV: setting(string(), {
      description:
        '`production`: missing, short or placeholder secrets stop the start, each named. Otherwise missing secrets are generated and weak ones logged.',
      default: 'development',
      example: 'development',
      services: CORE,
    }),
    PORT: setting(count(3456, 0, 65_535), {
      description: 'Port of the api; in the stack, the port published on loopback.',
      services: ['api'],
      isMappedInStack: true,
    }),
    HOST: setting(string(), {
      description:
        'Address that `npm start` listens on. The stack publishes on 127.0.0.1; put a reverse proxy with TLS in front.',
      default: '127.0.0.1',
      example: '127.0.0.1',
      services: CORE,
      isFixedInStack: true,
    }),
    WORKER_PORT: setting(count(3457, 0, 65_535), {
      description: 'Health check port of a worker that runs as its own process.',
      services: ['worker'],
      isFixedInStack: true,
    }),
    NOTIFIER_PORT: setting(count(3458, 0, 65_535), {
      description: 'Health check port of a notifier that runs as its own process.',
      services: ['notifier'],
      isFixedInStack: true,
    }),
    SWITCHYARD_API_KEYS: setting(
      parsed(
        z.preprocess((value) => value ?? '', apiKeys),
        '`name:role:token`, separated by commas; role is `operator` or `agent`; a token has at least 16 characters',
      ),
      {
        description: 'Who may call. Without keys only loopback is served.',
        example: 'ops:operator:<token>,letta:agent:<token>',
        isSecret: true,
        services: ['api'],
      },
    ),
    SWITCHYARD_ALLOW_NO_AUTH: setting(boolean(false), {
      description: 'Serve beyond loopback without keys. Set it to false in production.',
      stackDefault: 'true',
      services: ['api'],
    }),
    MCP_TOOLSETS: setting(parsed(toolsets, TOOLSETS.join(', ')), {
      description: 'Tool sets that `/mcp` serves, separated by commas; `/mcp/<set>` serves one set.',
      default: 'tasks,projects',
      example: 'tasks,projects',
      services: ['api'],
    }),
    MCP_LEGACY_TOOLS: setting(boolean(false), {
      description:
        'Also serve the tool names of older managers (`opencode_execute_task`, `opencode_start`, `opencode_status`, …).',
      services: ['api'],
    }),
    LOG_LEVEL: setting(
      choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'info', 'is not a log level'),
      { description: 'Lowest level that is logged.', services: [...CORE, 'docker-filter', 'model-gateway'] },
    ),
  },
} as const
