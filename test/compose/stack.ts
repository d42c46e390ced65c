// Starts a separate Compose stack for a test: real images and services, with the scripted model as
// the provider, on a free port.

import { stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { opencodeConfig } from '@switchyard/testing'
import type { TestContext } from 'vitest'
import { docker } from './docker.ts'

const MINUTE = 60_000

type Container = {
  readonly Service: string
  readonly Name: string
  readonly State: string
  readonly Health: string
}

export type Stack = {
  readonly url: string
  /** Environment that makes a plain `docker compose` in the repository use this stack. */
  readonly environment: Readonly<Record<string, string>>
  /** Runs `docker compose <args>` on this stack. Returns its standard output. */
  readonly compose: (args: readonly string[], timeoutMs?: number) => Promise<string>
  /** Starts services that are not running. Resolves when all are healthy. */
  readonly up: (args?: readonly string[]) => Promise<void>
  readonly containers: () => Promise<readonly Container[]>
  /** Returns the output of `docker inspect` for each container of a service. */
  readonly inspect: (service: string) => Promise<readonly Inspected[]>
  /** Runs a shell command in a service's container. */
  readonly shell: (service: string, command: string, index?: number) => Promise<string>
  /** Deletes the containers, networks and volumes. */
  readonly remove: () => Promise<void>
}

type Inspected = {
  readonly RestartCount: number
  readonly Name: string
  readonly Config: { readonly User: string; readonly Env: readonly string[] }
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly OOMKilled: boolean }
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean
    readonly CapDrop: readonly string[] | null
    readonly SecurityOpt: readonly string[] | null
    readonly Memory: number
    readonly NanoCpus: number
    readonly PidsLimit: number
  }
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string; readonly Gateway: string }>>
  }
}

/** Returns the variable that gives the filter access to this machine's engine. */
export const dockerGroup = async () => ({ DOCKER_GID: String((await stat('/var/run/docker.sock')).gid) })

/** Returns the variables that start a stack with Docker mode on this engine. */
export const dockerProfile = async () => ({ COMPOSE_PROFILES: 'docker', ...(await dockerGroup()) })

/** Prints the logs of the stack when the test fails, because they are removed with the stack. */
export const printLogsOnFailure = (context: TestContext, stack: () => Stack): void =>
  context.onTestFailed(async () => {
    console.log(await stack().compose(['logs', '--no-color', '--timestamps', '--tail', '40']).catch(String))
  })

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  if (address === null || typeof address === 'string') throw new Error('loopback has no free port')
  return address.port
}

/**
 * Defines a stack without starting it.
 *
 * @param project - the Compose project name
 * @param env - the variables that its .env file would contain
 */
export const defineStack = async (project: string, env: Readonly<Record<string, string>> = {}): Promise<Stack> => {
  const port = await freePort()
  const variables = {
    PORT: String(port),
    OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig('http://model:8080')),
    OPENCODE_DISABLE_MODELS_FETCH: '1',
    EGRESS_ALLOW: 'model:8080',
    ...env,
  }
  const files = [
    '--env-file',
    '/dev/null',
    '-p',
    project,
    '-f',
    'compose.yaml',
    '-f',
    'test/compose/model.compose.yaml',
  ]
  const compose = (args: readonly string[], timeoutMs = MINUTE) =>
    docker(['compose', ...files, ...args], { timeoutMs, env: variables })
  let built = false
  return {
    url: `http://127.0.0.1:${port}`,
    environment: {
      ...variables,
      COMPOSE_ENV_FILES: '/dev/null',
      COMPOSE_PROJECT_NAME: project,
      COMPOSE_FILE: 'compose.yaml:test/compose/model.compose.yaml',
    },
    compose,
    up: async (args = []) => {
      try {
        // Build once, so that every later start uses the same images.
        await compose(
          ['up', built ? '--no-build' : '--build', '--detach', '--wait', '--wait-timeout', '180', ...args],
          9 * MINUTE,
        )
        built = true
      } catch (error) {
        // Compose reports which service is unhealthy. The reason is in that service's log.
        const logs = await compose(['logs', '--no-color', '--tail', '25']).catch(String)
        throw new Error(`${error instanceof Error ? error.message : error}\n${logs}`)
      }
    },
    containers: async () =>
      (await compose(['ps', '--all', '--format', 'json']))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Container),
    inspect: async (service) => {
      const ids = (await compose(['ps', '--all', '--quiet', service])).split('\n').filter((id) => id !== '')
      return JSON.parse(await docker(['inspect', ...ids])) as readonly Inspected[]
    },
    shell: (service, command, index = 1) =>
      compose(['exec', '-T', '--index', String(index), service, 'sh', '-c', command]),
    remove: async () => {
      await compose(['--profile', '*', 'down', '--volumes', '--remove-orphans', '--timeout', '5'], 2 * MINUTE)
    },
  }
}
