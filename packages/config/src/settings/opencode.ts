// The OpenCode servers: the shared one, and those of single projects.

import { MIN_SERVER_MEMORY } from '@switchyard/contracts'
import { z } from 'zod'
import { CORE, setting } from './setting.ts'
import {
  boolean,
  bytes,
  choice,
  count,
  DAY,
  entriesOf,
  MEBIBYTE,
  MINUTE,
  milliseconds,
  parsed,
  SECOND,
  string,
  urlOf,
} from './types.ts'

export const opencode = {
  title: 'OpenCode servers',
  settings: {
    OPENCODE_SERVER_ENABLED: setting(boolean(true), {
      description: 'false: tasks run in containers, and no OpenCode server is needed.',
      services: CORE,
    }),
    OPENCODE_SERVER_URL: setting(urlOf('http', 'https'), {
      description: 'An OpenCode server that runs elsewhere.',
      default: 'one that Switchyard starts',
      example: 'http://127.0.0.1:4096',
      services: ['worker'],
      isFixedInStack: true,
    }),
    OPENCODE_SERVER_PASSWORD: setting(string(), {
      description: 'Password of the OpenCode server.',
      default: 'generated on the first start',
      isSecret: true,
      services: ['worker', 'opencode'],
    }),
    OPENCODE_SERVER_MEMORY_FILE: setting(string(), {
      description: 'File in which a server elsewhere reports its memory use in bytes, for `GET /servers`.',
      services: ['worker'],
      isFixedInStack: true,
    }),
    OPENCODE_SERVER_HEALTH_CHECK_INTERVAL_MS: setting(milliseconds(5 * SECOND, 100, 10 * MINUTE), {
      description: 'Time between health checks of the server.',
      services: ['worker'],
    }),
    OPENCODE_SERVER_MAX_RETRIES: setting(count(3, 0, 100), {
      description: 'Failed starts after which a server that Switchyard starts counts as failed.',
      services: ['worker'],
    }),
    OPENCODE_SERVER_OUTAGE_MS: setting(milliseconds(90 * SECOND, SECOND, DAY), {
      description: 'How long a task waits for a server that is unreachable before it fails.',
      services: ['worker'],
    }),
    OPENCODE_SERVER_RETRY_DELAY_MS: setting(milliseconds(SECOND, 10, 10 * MINUTE), {
      description: 'Delay before the first restart; it grows from there.',
      services: ['worker'],
    }),
    OPENCODE_DIRECT_PROVIDERS: setting(
      parsed(
        z.preprocess(entriesOf, z.array(z.string().regex(/^[\w.-]+$/, 'is not a provider id'))),
        'provider ids, separated by commas',
      ),
      {
        description:
          "Providers that OpenCode calls itself, with their variables in its environment, instead of through the model gateway. `opencode` allows OpenCode's hosted models.",
        example: 'gitlab',
        services: ['model-gateway'],
      },
    ),
    MODEL_GATEWAY_PORT: setting(count(3459, 0, 65_535), {
      description: 'Port of a model gateway that runs as its own process.',
      services: ['model-gateway'],
      isFixedInStack: true,
    }),
    OPENCODE_POOL: setting(choice(['blue', 'green'], 'blue', 'is neither blue nor green'), {
      description: "Pool of a separate worker's OpenCode server. compose.yaml sets it for the green worker.",
      services: [],
    }),
    OPENCODE_SHARING: setting(choice(['owner', 'all'], 'all', 'is neither owner nor all'), {
      description:
        'owner: with several API keys, tasks and sessions of each agent key run on an [OpenCode server of its own](servers.md#one-server-for-each-api-key). all: every key shares one.',
      services: ['api'],
      stackDefault: 'owner',
    }),
    PROJECT_SERVER_MEMORY_LIMIT: setting(bytes(4_096 * MEBIBYTE, MIN_SERVER_MEMORY), {
      description: "Memory above which a project's own server is drained and replaced.",
      services: [...CORE, 'docker-filter'],
    }),
    PROJECT_SERVER_DRAIN_MS: setting(milliseconds(10 * MINUTE, 0, DAY), {
      description: 'How long turns may continue on a server that is drained.',
      services: CORE,
    }),
    PROJECT_SERVER_IDLE_MS: setting(milliseconds(30 * MINUTE, SECOND, 30 * DAY), {
      description: "Time without use after which a project's own server stops.",
      services: CORE,
    }),
    PROJECT_SERVER_NETWORK: setting(string(), {
      description: "Docker network of projects' own servers. Unset: they are processes.",
      services: ['worker', 'docker-filter'],
      isFixedInStack: true,
    }),
  },
} as const
