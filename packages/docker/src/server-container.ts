// The container of a project's own OpenCode server: what it runs and what it can see.

import { createHash } from 'node:crypto'
import { SERVER_PASSWORD, withModel } from '@switchyard/contracts'
import type Docker from 'dockerode'
import { hardenedHostConfig, proxyVariables, QUIET_OPENCODE, toEnv } from './hardened-host-config.ts'
import { NOT_OF_COMPOSE, SERVER, STACK } from './labels.ts'

/** What is the same for all server containers of an installation. */
export type ServerContainerSettings = {
  readonly stack: string
  readonly image: string
  readonly cpus: number
  /** The kernel kills the server at this limit. It is far above the size at which the server is drained and replaced. */
  readonly memoryBytes: number
  readonly pids: number
  /** `uid:gid` of the owner of the working directories; never root. */
  readonly user: string
  /** Provider keys and OpenCode's own variables. They never appear in an argument list. */
  readonly environment: Readonly<Record<string, string>>
  /** Shared with the workers. */
  readonly network: string
  /** The egress proxy in that network; undefined when the network has a route to the internet. */
  readonly proxy: string | undefined
  /** The directories of projects and tasks, at the same path inside and outside. */
  readonly workspacesDir: string
}

export type ProjectServer = {
  readonly projectId: string
  readonly password: string
  /** The model of sessions that name none. */
  readonly model: string | null
  /** Variables of this project only. */
  readonly environment: Readonly<Record<string, string>>
}

export const SERVER_PORT = 4096
const HOME = '/home/node'
const TMP_BYTES = 1_024 * 1_048_576
const LOG_OPTIONS = { 'max-size': '10m', 'max-file': '3' } as const
const SCRIPT = `exec opencode serve --hostname 0.0.0.0 --port ${SERVER_PORT}`
const PASSWORD = 'OPENCODE_SERVER_PASSWORD'
/** The filter builds the environment itself; it reads the project's values from these two. */
const MODEL = 'SWITCHYARD_SERVER_MODEL'
const OWN = 'SWITCHYARD_SERVER_ENV_'

/** Returns the name of the server's container, host and volume. Host names have 63 characters at most. */
export const serverName = (stack: string, projectId: string): string =>
  `switchyard-${stack}-${createHash('sha256').update(projectId).digest('hex').slice(0, 24)}`

export const SERVER_NAME = /^switchyard-[0-9a-f]{12}-[0-9a-f]{24}$/

const environmentOf = (settings: ServerContainerSettings, server: ProjectServer): Readonly<Record<string, string>> => ({
  Malloc: '1',
  ...QUIET_OPENCODE,
  ...withModel({ ...settings.environment, ...server.environment }, server.model),
  ...(settings.proxy === undefined ? {} : proxyVariables(settings.proxy)),
  HOME,
  [PASSWORD]: server.password,
  ...(server.model === null ? {} : { [MODEL]: server.model }),
  ...Object.fromEntries(Object.entries(server.environment).map(([name, value]) => [OWN + name, value])),
})

/** Returns the body of `POST /containers/create`. The filter in front of the socket accepts nothing wider than this. */
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
  // The worker checks the server's health itself.
  Healthcheck: { Test: ['NONE'] },
  HostConfig: hardenedHostConfig(settings, {
    network: settings.network,
    mounts: [
      { Type: 'bind', Source: settings.workspacesDir, Target: settings.workspacesDir, ReadOnly: false },
      // Sessions, and what agents install for their user. No other server can see it.
      { Type: 'volume', Source: serverName(settings.stack, server.projectId), Target: HOME, ReadOnly: false },
    ],
    log: LOG_OPTIONS,
    tmpBytes: TMP_BYTES,
  }),
})

/**
 * Reads the server that a worker requests from the environment of its request.
 *
 * @returns undefined when the password is missing or could be anything but a password
 */
export const requestedServer = (projectId: string, env: readonly string[]): ProjectServer | undefined => {
  const variables = env.map((entry): [string, string] => {
    const at = entry.indexOf('=')
    return [entry.slice(0, at), entry.slice(at + 1)]
  })
  const variable = (name: string) => variables.find(([known]) => known === name)?.[1]
  const password = variable(PASSWORD)
  if (password === undefined || !SERVER_PASSWORD.test(password)) return undefined
  const own = variables.filter(([name]) => name.startsWith(OWN))
  return {
    projectId,
    password,
    model: variable(MODEL) ?? null,
    environment: Object.fromEntries(own.map(([name, value]) => [name.slice(OWN.length), value])),
  }
}
