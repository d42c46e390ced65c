// An OpenCode server as a child process of ours: started, made ready, and ended with everything it started.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { SwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import type { Endpoint } from '../connection/endpoint.ts'
import { authorization } from '../connection/endpoint.ts'
import { checkHealth } from '../connection/health-check.ts'
import { type OpenCodeConfig, serverEnvironment, temporaryDirectory } from './child-environment.ts'
import { lockServer } from './data-directory-lock.ts'
import { opencodeBinary, ripgrepFolder } from './executables.ts'
import { freePort } from './free-port.ts'
import type { RunningServer, ServerLauncher } from './launcher.ts'
import { descendants, kill, type ProcessInfo, residentBytes, sweep } from './processes.ts'

export type ChildServerOptions = {
  /** Belongs to this server alone: its database, state and cache. Made when it is not there. */
  readonly dataDir: string
  /** Default: a random one. It reaches the server through the environment, never through the arguments. */
  readonly password?: string
  /** Its name in logs and records; default: the data directory. */
  readonly id?: string
  /** Chosen at every start; default: any free one. */
  readonly port?: () => Promise<number>
  /** The environment it inherits: the caller's PATH, HOME, OpenCode and provider variables. Nothing of ours. */
  readonly env: Readonly<Record<string, string>>
  /** Folders put in front of PATH. */
  readonly extraPath?: readonly string[]
  /** Merged under the caller's own OPENCODE_CONFIG_CONTENT. */
  readonly config?: OpenCodeConfig
  readonly logger: Logger
  /** Told of each process the moment it exists, for whoever ends it when we are killed. */
  readonly onSpawn?: (pid: number) => void
  /** Milliseconds until a start counts as failed; default 60 s (measured: 1.1 to 1.8 s on an idle machine). */
  readonly startTimeoutMs?: number
}

const FAREWELL_MS = 3_000
const TERM_MS = 5_000
const READY_LINE = /opencode server listening on (http:\/\/\S+)/

/**
 * A launcher that runs `opencode serve` on loopback.
 *
 * The server gets a session of its own, so that a signal to our terminal does not reach it before we have said goodbye.
 * Its tools have sessions of theirs and outlive a SIGKILL of the server; all carry {@link MARKER} and are swept by it.
 */
export const childServer = (options: ChildServerOptions): ServerLauncher => {
  const password = options.password ?? randomBytes(24).toString('base64url')
  return {
    kind: 'child',
    id: options.id ?? path.resolve(options.dataDir),
    launch: ({ signal }) => launch({ ...options, password }, signal),
  }
}

type LaunchOptions = ChildServerOptions & { readonly password: string }

const launch = async (options: LaunchOptions, signal: AbortSignal): Promise<RunningServer> => {
  const { logger } = options
  const dataDir = path.resolve(options.dataDir)
  await makeDirectory(dataDir)
  const serverId = randomUUID()
  const binary = await opencodeBinary()
  const lock = await lockServer(dataDir, serverId)
  if (lock.swept > 0)
    logger.warn({ data_dir: dataDir, swept: lock.swept }, 'ended what an earlier OpenCode server left')

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
  const gone = processEnd(child)
  const exited = gone.then(async (how) => {
    const swept = await sweep(serverId)
    await lock.release()
    logger.info({ server_pid: child.pid, how, swept }, 'OpenCode server ended')
    return new SwitchyardError('opencode_unavailable', `the OpenCode server ended (${how})${output.tail()}`)
  })
  // Whoever launches may never look at it; an error in the sweep must not end the process.
  exited.catch((error: unknown) => logger.error({ err: error }, 'could not clean up after the OpenCode server'))

  const killNow = async (): Promise<void> => {
    const below = await tree(child)
    if (child.pid !== undefined && isAlive(child)) kill(child.pid, 'SIGKILL')
    await gone
    await sweep(serverId, below)
    await exited
  }

  try {
    if (child.pid !== undefined) options.onSpawn?.(child.pid)
    if (child.pid !== undefined) await lock.note(child.pid)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(options.startTimeoutMs ?? 60_000)])
    const url = await untilListening(output, exited, limit)
    const endpoint: Endpoint = { url, password: options.password }
    const { version } = await untilHealthy(endpoint, exited, limit)
    logger.info({ server_pid: child.pid, url, version, server_id: serverId }, 'OpenCode server started')
    return {
      ...endpoint,
      version,
      pid: child.pid,
      memory: async () => (child.pid !== undefined && isAlive(child) ? await residentBytes(child.pid) : undefined),
      exited,
      kill: killNow,
      stop: once(() => stop({ child, endpoint, gone, exited, serverId, killNow })),
    }
  } catch (error) {
    await killNow()
    throw error
  }
}

const stop = async (server: {
  readonly child: ChildProcess
  readonly endpoint: Endpoint
  readonly gone: Promise<string>
  readonly exited: Promise<unknown>
  readonly serverId: string
  readonly killNow: () => Promise<void>
}): Promise<void> => {
  const { child, endpoint, gone } = server
  const below = await tree(child)
  if (isAlive(child)) {
    // Ends sessions and their tools in about 75 ms. SIGTERM alone would orphan the tools.
    await fetch(`${endpoint.url}/global/dispose`, {
      method: 'POST',
      headers: { authorization: authorization(endpoint) },
      signal: AbortSignal.timeout(FAREWELL_MS),
    }).catch(() => undefined)
    if (child.pid !== undefined && isAlive(child)) kill(child.pid, 'SIGTERM')
    const patience = new AbortController()
    await Promise.race([gone, delay(TERM_MS, undefined, { signal: patience.signal }).catch(() => undefined)])
    patience.abort()
  }
  await server.killNow()
  await sweep(server.serverId, below)
  await server.exited
}

/** What runs below the server now. A tool that cleared its environment is found only this way. */
const tree = async (child: ChildProcess): Promise<readonly ProcessInfo[]> =>
  child.pid !== undefined && isAlive(child) ? descendants(child.pid) : []

const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

const processEnd = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`))
    child.once('exit', (code, signal) => resolve(signal ? `signal ${signal}` : `exit code ${code}`))
  })

type Output = {
  /** Resolves with the address as soon as the server has said where it listens. */
  readonly url: Promise<string>
  /** The last lines it wrote, for an error message; empty or starting with ": ". */
  readonly tail: () => string
}

const KEPT_LINES = 10

const collectOutput = (child: ChildProcess, logger: Logger): Output => {
  const lines: string[] = []
  const url = new Promise<string>((resolve) => {
    const take = (chunk: string): void => {
      for (const line of chunk.split('\n').filter((text) => text.trim() !== '')) {
        lines.push(line.slice(0, 500))
        if (lines.length > KEPT_LINES) lines.shift()
        logger.debug({ server_pid: child.pid, line }, 'OpenCode server')
        const match = READY_LINE.exec(line)
        if (match?.[1] !== undefined) resolve(match[1])
      }
    }
    child.stdout?.setEncoding('utf8').on('data', take)
    child.stderr?.setEncoding('utf8').on('data', take)
  })
  return { url, tail: () => (lines.length > 0 ? `: ${lines.join(' | ')}` : '') }
}

const untilListening = (output: Output, exited: Promise<SwitchyardError>, limit: AbortSignal): Promise<string> =>
  Promise.race([output.url, failWhen(exited, limit, output)])

/** A request that comes between "listening" and "serving" is never answered, so each try is short. */
const untilHealthy = async (
  endpoint: Endpoint,
  exited: Promise<SwitchyardError>,
  limit: AbortSignal,
): Promise<{ readonly version: string }> => {
  const failed = failWhen(exited, limit)
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

const failWhen = (exited: Promise<SwitchyardError>, limit: AbortSignal, output?: Output): Promise<never> =>
  new Promise((_resolve, reject) => {
    exited.then(reject, reject)
    const late = () =>
      reject(
        new SwitchyardError('opencode_unavailable', `the OpenCode server did not start${output?.tail() ?? ''}`, {
          cause: limit.reason,
        }),
      )
    if (limit.aborted) late()
    else limit.addEventListener('abort', late, { once: true })
  })

const makeDirectory = async (directory: string): Promise<void> => {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new SwitchyardError('directory_unwritable', `cannot make ${directory}`, { retryable: false, cause })
  }
}

const once = <T>(act: () => Promise<T>): (() => Promise<T>) => {
  let running: Promise<T> | undefined
  return () => {
    running ??= act()
    return running
  }
}
