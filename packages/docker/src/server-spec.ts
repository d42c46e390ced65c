// The container of an OpenCode server that one project has for itself.

import { createHash } from 'node:crypto'
import { SERVER_PASSWORD, withModel } from '@switchyard/contracts'
import type Docker from 'dockerode'
import { hardenedHostConfig, QUIET_OPENCODE, toEnv } from './hardened-host-config.ts'
import { NOT_OF_COMPOSE, SERVER, STACK } from './labels.ts'

/** What is the same for all servers of an installation. */
export type ServerContainerSettings = {
  readonly stack: string
  readonly image: string
  readonly cpus: number
  /** At which the kernel ends it; well above where it is drained and replaced. */
  readonly memoryBytes: number
  readonly pids: number
  /** `uid:gid` of whoever owns the working directories; never root. */
  readonly user: string
  /** Keys of providers and OpenCode's own variables. They are never in an argument list. */
  readonly environment: Readonly<Record<string, string>>
  /** Shared with the workers, and with a way out to the model providers. */
  readonly network: string
  /** The directories of projects and tasks, at the same path there and here. */
  readonly workspacesDir: string
}

export type ProjectServer = {
  readonly projectId: string
  readonly password: string
  /** The model of sessions that name none. */
  readonly model: string | null
  /** Variables of the project's own. */
  readonly environment: Readonly<Record<string, string>>
}

export const SERVER_PORT = 4096
const HOME = '/home/node'
const TMP_BYTES = 1_024 * 1_048_576
const LOG_OPTIONS = { 'max-size': '10m', 'max-file': '3' } as const
const SCRIPT = `exec opencode serve --hostname 0.0.0.0 --port ${SERVER_PORT}`
const PASSWORD = 'OPENCODE_SERVER_PASSWORD'
/** These two carry to the filter what it puts into the environment itself. */
const MODEL = 'SWITCHYARD_SERVER_MODEL'
const OWN = 'SWITCHYARD_SERVER_ENV_'

/** Its container's name, which is its host's on the network, and its volume's. Names of hosts have 63 characters at most. */
export const serverName = (stack: string, projectId: string): string =>
  `switchyard-${stack}-${createHash('sha256').update(projectId).digest('hex').slice(0, 24)}`

export const SERVER_NAME = /^switchyard-[0-9a-f]{12}-[0-9a-f]{24}$/

const environmentOf = (settings: ServerContainerSettings, server: ProjectServer): Readonly<Record<string, string>> => ({
  Malloc: '1',
  ...QUIET_OPENCODE,
  ...withModel({ ...settings.environment, ...server.environment }, server.model),
  HOME,
  [PASSWORD]: server.password,
  ...(server.model === null ? {} : { [MODEL]: server.model }),
  ...Object.fromEntries(Object.entries(server.environment).map(([name, value]) => [OWN + name, value])),
})

/** The body of `POST /containers/create`. The filter in front of the socket admits nothing wider than this. */
export const createServerBody = (
  settings: ServerContainerSettings,
  server: ProjectServer,
): Docker.ContainerCreateOptions => ({
  Image: settings.image,
  User: settings.user,
  WorkingDir: settings.workspacesDir,
  Entrypoint: ['/bin/sh', '-c', SCRIPT],
  Cmd: [],
  Env: toEnv(environmentOf(settings, server)),
  Labels: { [STACK]: settings.stack, [SERVER]: server.projectId, ...NOT_OF_COMPOSE },
  OpenStdin: false,
  Tty: false,
  // Whoever keeps it looks after it.
  Healthcheck: { Test: ['NONE'] },
  HostConfig: hardenedHostConfig(settings, {
    network: settings.network,
    mounts: [
      { Type: 'bind', Source: settings.workspacesDir, Target: settings.workspacesDir, ReadOnly: false },
      // Its sessions, and what agents install for their user; no other server sees it.
      { Type: 'volume', Source: serverName(settings.stack, server.projectId), Target: HOME, ReadOnly: false },
    ],
    log: LOG_OPTIONS,
    tmpBytes: TMP_BYTES,
  }),
})

/** What a worker asked for, read from the environment that it sent. */
export const requestedServer = (projectId: string, env: readonly string[]): ProjectServer | undefined => {
  const variables = env.map((entry): [string, string] => {
    const at = entry.indexOf('=')
    return [entry.slice(0, at), entry.slice(at + 1)]
  })
  const said = (name: string) => variables.find(([known]) => known === name)?.[1]
  const password = said(PASSWORD)
  // OpenCode reads it from its environment: no shell ever does.
  if (password === undefined || !SERVER_PASSWORD.test(password)) return undefined
  const own = variables.filter(([name]) => name.startsWith(OWN))
  return {
    projectId,
    password,
    model: said(MODEL) ?? null,
    environment: Object.fromEntries(own.map(([name, value]) => [name.slice(OWN.length), value])),
  }
}
