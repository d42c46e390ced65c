// Runs an OpenCode server as a child process: starts it, waits until it is healthy, and stops it with all its tools.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { SwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import { authorization, type Endpoint } from '../connection/endpoint.ts'
import { checkHealth } from '../connection/health-check.ts'
import { type OpenCodeConfig, type ServerSandbox, serverEnvironment, temporaryDirectory } from './child-environment.ts'
import { type ChildOutput, collectOutput } from './child-output.ts'
import { lockDataDirectory } from './data-directory-lock.ts'
import { opencodeBinary, ripgrepFolder } from './executables.ts'
import { freePort } from './free-port.ts'
import type { RunningServer, ServerLauncher } from './launcher.ts'
import { descendants, kill, type ProcessInfo, residentBytes, sweep } from './processes.ts'

/**
 * @param serverId - the server's name in records.
 * @returns the environment for the server, and a function to call when the server has exited.
 */
export type OpenGateway = (
  serverId: string,
  env: Readonly<Record<string, string>>,
) => Promise<{ readonly environment: Readonly<Record<string, string>>; readonly revoke: () => void }>

export type ChildServerOptions = {
  /** Holds the database, state and cache of this server only. Created if it does not exist. */
  readonly dataDir: string
  /** Defaults to a random one. The server reads it from its environment, never from its arguments. */
  readonly password?: string
  /** Names the server in logs and records. Defaults to the data directory. */
  readonly id?: string
  /** Called at every start. Defaults to any free port. */
  readonly port?: () => Promise<number>
  /** The environment that the server inherits: the caller's PATH, HOME, OpenCode and provider variables. */
  readonly env: Readonly<Record<string, string>>
  /** Folders to put in front of PATH. */
  readonly extraPath?: readonly string[]
  /** Merged under the caller's own OPENCODE_CONFIG_CONTENT. */
  readonly config?: OpenCodeConfig
  /** Replaces the keys in the environment by access to the model gateway, for one run of the server. */
  readonly openGateway?: OpenGateway
  /** Where the server's tools run; in its own process's environment if absent. */
  readonly sandbox?: ServerSandbox
  readonly logger: Logger
  /** Called with the pid as soon as the process exists, so that a guard can kill it if this process is killed. */
  readonly onSpawn?: (pid: number) => void
  /** How long a start may take, ms. Defaults to 60 s (measured: 1.1 to 1.8 s on an idle machine). */
  readonly startTimeoutMs?: number
}

/** How long OpenCode may take to dispose its sessions before SIGTERM, ms. */
const DISPOSE_MS = 3_000
/** How long the process may take to exit after SIGTERM before SIGKILL, ms. */
const TERM_MS = 5_000

/**
 * Returns a launcher that runs `opencode serve` on loopback.
 *
 * The server gets a process session of its own, so that a signal to the terminal does not reach it before `stop` does.
 * Its tools have sessions too and survive a SIGKILL of the server; all of them carry {@link MARKER}, by which `sweep`
 * finds and kills them.
 */
export const childServer = (options: ChildServerOptions): ServerLauncher => {
  const password = options.password ?? randomBytes(24).toString('base64url')
  const id = options.id ?? path.resolve(options.dataDir)
  return {
    kind: 'child',
    id,
    launch: async ({ signal }) => {
      const { environment, revoke } = (await options.openGateway?.(id, options.env)) ?? withoutGateway(options.env)
      try {
        const running = await launch({ ...options, env: environment, password }, signal)
        running.exited.then(revoke, revoke)
        return running
      } catch (error) {
        revoke()
        throw error
      }
    },
  }
}

const withoutGateway = (environment: Readonly<Record<string, string>>) => ({ environment, revoke: () => {} })

type LaunchOptions = Omit<ChildServerOptions, 'openGateway'> & { readonly password: string }

const launch = async (options: LaunchOptions, signal: AbortSignal): Promise<RunningServer> => {
  const { logger } = options
  const dataDir = path.resolve(options.dataDir)
  await makeDirectory(dataDir)
  const serverId = randomUUID()
  const binary = await opencodeBinary()
  const lock = await lockDataDirectory(dataDir, serverId)
  if (lock.swept > 0)
    logger.warn({ data_dir: dataDir, swept: lock.swept }, 'killed processes left by an earlier OpenCode server')

  let child: ChildProcess
  try {
    const temporary = temporaryDirectory(dataDir)
    await rm(temporary, { recursive: true, force: true })
    await makeDirectory(temporary)
    const port = await (options.port ?? freePort)()
    child = spawn(binary, ['serve', '--hostname', '127.0.0.1', '--port', String(port)], {
      cwd: dataDir,
      env: serverEnvironment({ ...options, dataDir, serverId, ripgrep: await ripgrepFolder() }),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    await lock.release()
    throw error
  }

  const output = collectOutput(child, logger)
  const processExited = outcomeOf(child)
  const exited = processExited.then(async (outcome) => {
    const swept = await sweep(serverId)
    await lock.release()
    logger.info({ server_pid: child.pid, outcome, swept }, 'OpenCode server exited')
    return new SwitchyardError('opencode_unavailable', `the OpenCode server exited (${outcome})${output.tail()}`)
  })
  // The caller may never await it, and a failure to sweep must not become an unhandled rejection.
  exited.catch((error: unknown) => logger.error({ err: error }, 'failed to clean up after the OpenCode server'))

  const killNow = async (): Promise<void> => {
    const below = await descendantsOf(child)
    if (child.pid !== undefined && isAlive(child)) kill(child.pid, 'SIGKILL')
    await processExited
    await sweep(serverId, below)
    await exited
  }

  try {
    if (child.pid !== undefined) options.onSpawn?.(child.pid)
    if (child.pid !== undefined) await lock.recordServer(child.pid)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(options.startTimeoutMs ?? 60_000)])
    const url = await waitForAddress(output, exited, limit)
    const endpoint: Endpoint = { url, password: options.password }
    const { version } = await waitForHealth(endpoint, exited, limit)
    logger.info({ server_pid: child.pid, url, version, server_id: serverId }, 'OpenCode server started')
    return {
      ...endpoint,
      version,
      pid: child.pid,
      memory: async () => (child.pid !== undefined && isAlive(child) ? await residentBytes(child.pid) : undefined),
      exited,
      kill: killNow,
      stop: once(() => stop({ child, endpoint, processExited, exited, serverId, killNow })),
    }
  } catch (error) {
    await killNow()
    throw error
  }
}

const stop = async (server: {
  readonly child: ChildProcess
  readonly endpoint: Endpoint
  readonly processExited: Promise<string>
  readonly exited: Promise<unknown>
  readonly serverId: string
  readonly killNow: () => Promise<void>
}): Promise<void> => {
  const { child, endpoint, processExited } = server
  const below = await descendantsOf(child)
  if (isAlive(child)) {
    // Ends sessions and their tools in about 75 ms. SIGTERM alone would orphan the tools.
    await fetch(`${endpoint.url}/global/dispose`, {
      method: 'POST',
      headers: { authorization: authorization(endpoint) },
      signal: AbortSignal.timeout(DISPOSE_MS),
    }).catch(() => undefined)
    if (child.pid !== undefined && isAlive(child)) kill(child.pid, 'SIGTERM')
    const timer = new AbortController()
    await Promise.race([processExited, delay(TERM_MS, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
  }
  await server.killNow()
  await sweep(server.serverId, below)
  await server.exited
}

/** Returns the processes below the server. A tool that cleared its environment is found only this way. */
const descendantsOf = async (child: ChildProcess): Promise<readonly ProcessInfo[]> =>
  child.pid !== undefined && isAlive(child) ? descendants(child.pid) : []

const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

/** Resolves with the reason when the process has exited or could not be started. */
const outcomeOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(`failed to start: ${error.message}`))
    child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`))
  })

const waitForAddress = (output: ChildOutput, exited: Promise<SwitchyardError>, limit: AbortSignal): Promise<string> =>
  Promise.race([output.url, rejectWhenStartFails(exited, limit, output)])

/** Polls with short timeouts: a request that arrives between "listening" and serving is never answered. */
const waitForHealth = async (
  endpoint: Endpoint,
  exited: Promise<SwitchyardError>,
  limit: AbortSignal,
): Promise<{ readonly version: string }> => {
  const failed = rejectWhenStartFails(exited, limit)
  failed.catch(() => undefined)
  for (;;) {
    try {
      return await Promise.race([checkHealth(endpoint, { timeoutMs: 1_000, signal: limit }), failed])
    } catch (error) {
      if (limit.aborted) throw error
      await Promise.race([delay(50), failed])
    }
  }
}

const rejectWhenStartFails = (
  exited: Promise<SwitchyardError>,
  limit: AbortSignal,
  output?: ChildOutput,
): Promise<never> =>
  new Promise((_resolve, reject) => {
    exited.then(reject, reject)
    const onTimeout = () =>
      reject(
        new SwitchyardError('opencode_unavailable', `the OpenCode server did not start${output?.tail() ?? ''}`, {
          cause: limit.reason,
        }),
      )
    if (limit.aborted) onTimeout()
    else limit.addEventListener('abort', onTimeout, { once: true })
  })

const makeDirectory = async (directory: string): Promise<void> => {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new SwitchyardError('directory_unwritable', `cannot create ${directory}`, { retryable: false, cause })
  }
}

const once = <T>(act: () => Promise<T>): (() => Promise<T>) => {
  let running: Promise<T> | undefined
  return () => {
    running ??= act()
    return running
  }
}
