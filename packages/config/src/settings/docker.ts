// Docker mode: one container per task.

import { z } from 'zod'
import { CORE, setting } from './setting.ts'
import {
  bytes,
  count,
  DAY,
  entriesOf,
  fraction,
  MEBIBYTE,
  optionalMilliseconds,
  parsed,
  SECOND,
  string,
  urlOf,
} from './types.ts'

/** The image of Dockerfile.opencode, as compose.yaml names it. */
export const RUNNER_IMAGE = 'switchyard/opencode:1.18.33'

const hostPorts = z.preprocess(entriesOf, z.array(z.string().regex(/^[^\s/:]+:\d{1,5}$/, 'is not host:port')))

const addresses = z.preprocess(
  entriesOf,
  z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'is not an address or a network')),
)

export const docker = {
  title: 'Docker mode',
  settings: {
    DOCKER_HOST: setting(urlOf('unix', 'tcp', 'http'), {
      description: 'The Docker engine. In the stack, workers reach it through a filter.',
      default: 'unix:///var/run/docker.sock',
      example: 'unix:///var/run/docker.sock',
      services: ['worker', 'docker-filter'],
      isFixedInStack: true,
    }),
    RUNNER_IMAGE: setting(string(), {
      description: 'Image that tasks run in. It needs /bin/sh, stat and opencode.',
      default: RUNNER_IMAGE,
      example: RUNNER_IMAGE,
      services: ['worker', 'docker-filter'],
    }),
    RUNNER_CPU_LIMIT: setting(fraction(2, 0.1, 256), {
      description: 'Cores per container.',
      services: ['worker', 'docker-filter'],
    }),
    RUNNER_MEMORY_LIMIT: setting(bytes(2_048 * MEBIBYTE, 256 * MEBIBYTE), {
      description: 'Memory per container, without swap.',
      services: ['worker', 'docker-filter'],
    }),
    RUNNER_PIDS_LIMIT: setting(count(512, 32, 65_536), {
      description: 'Processes per container.',
      services: ['worker', 'docker-filter'],
    }),
    RUNNER_DISK_LIMIT: setting(bytes(10_240 * MEBIBYTE, 16 * MEBIBYTE), {
      description: 'Disk per task, output included.',
      services: ['worker'],
    }),
    RUNNER_TIMEOUT_MS: setting(optionalMilliseconds(SECOND, 7 * DAY), {
      description: 'How long a task may run in Docker mode when it does not set `timeout_ms`.',
      default: '`TASK_TIMEOUT_MS`',
      example: '1800000',
      services: CORE,
    }),
    RUNNER_NETWORK: setting(string(), {
      description: 'Your own network for the containers. Set it together with `RUNNER_PROXY`.',
      default: 'an internal network',
      services: ['worker', 'docker-filter'],
      isFixedInStack: true,
    }),
    RUNNER_PROXY: setting(urlOf('http'), {
      description: 'Your own egress proxy for the containers.',
      default: 'a proxy that refuses private addresses',
      example: 'http://proxy:3128',
      services: ['worker', 'docker-filter'],
      isFixedInStack: true,
    }),
    EGRESS_ALLOW: setting(parsed(hostPorts, '`host:port`, separated by commas'), {
      description: 'Private hosts that OpenCode and its tools may reach, such as your own model server.',
      example: '10.0.0.5:11434',
      services: ['egress'],
    }),
    EGRESS_DENY: setting(parsed(addresses, 'addresses and networks, separated by commas'), {
      description:
        "Public addresses that OpenCode and its tools must not reach. In the stack, list this machine's own (`ip -o addr show scope global`); `npm start` finds them.",
      services: ['egress'],
    }),
    RUNNER_EGRESS_ALLOW: setting(parsed(hostPorts, '`host:port`, separated by commas'), {
      description: 'The earlier name of `EGRESS_ALLOW`; its entries are added.',
      example: '10.0.0.5:11434',
      services: ['egress'],
    }),
    RUNNER_EGRESS_DENY: setting(parsed(addresses, 'addresses and networks, separated by commas'), {
      description: 'The earlier name of `EGRESS_DENY`; its entries are added.',
      services: ['egress'],
    }),
  },
} as const
