// Runs the real OpenCode server and restarts it when it exits, as Compose's restart policy does.

import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createOpencodeClient, type OpencodeClient } from '@opencode-ai/sdk/v2'
import { childServer, type RunningServer } from '@switchyard/opencode'
import { createConfigDirectory, OWN_MODELS_ONLY, opencodeConfig } from '@switchyard/testing'
import { pino } from 'pino'
import { freePort } from './free-port.ts'
import { MARK, signal } from './processes.ts'
import { waitUntil } from './wait.ts'

export type RestartingOpenCode = {
  readonly port: number
  readonly password: string
  readonly client: (directory: string) => OpencodeClient
  /**
   * Sends SIGKILL. Resolves when the server and everything that it had started have exited.
   *
   * @param outageMs - how long the restarter waits before it starts the server again, ms; default
   *   100
   */
  readonly kill: (outageMs?: number) => Promise<void>
  readonly pause: () => void
  readonly resume: () => void
  /** Returns how often the server was started. */
  readonly starts: () => number
  /** Resolves when a server runs that was started after the first `moreThan` starts. */
  readonly waitForStart: (moreThan: number) => Promise<void>
  readonly close: () => Promise<void>
}

const RESTART_MS = 100

export const startRestartingOpenCode = async (options: {
  readonly dataDir: string
  readonly home: string
  readonly modelUrl: string
  readonly runId: string
}): Promise<RestartingOpenCode> => {
  const port = await freePort()
  await createConfigDirectory(`${options.home}/config`)
  const password = randomBytes(18).toString('base64url')
  const launcher = childServer({
    dataDir: options.dataDir,
    password,
    port: async () => port,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: options.home,
      XDG_CONFIG_HOME: `${options.home}/config`,
      OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig(options.modelUrl)),
      ...OWN_MODELS_ONLY,
      [MARK]: options.runId,
    },
    logger: pino({ level: 'silent' }),
  })
  const closing = new AbortController()
  let running: RunningServer | undefined
  let starts = 0
  let restartMs = RESTART_MS
  const keepRunning = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        running = await launcher.launch({ signal: closing.signal })
        starts += 1
        await running.exited
      } catch {
        // Start it again, as a container's restart policy does.
      }
      running = undefined
      await delay(restartMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }
  const stopped = keepRunning()
  const waitForStart = async (moreThan: number): Promise<void> => {
    await waitUntil('OpenCode starts', () => running !== undefined && starts > moreThan, 60_000)
  }
  const pidOf = (): number => {
    if (running?.pid === undefined) throw new Error('OpenCode is not running')
    return running.pid
  }
  await waitForStart(0)
  return {
    port,
    password,
    client: (directory) =>
      createOpencodeClient({
        baseUrl: `http://127.0.0.1:${port}`,
        directory,
        headers: { authorization: `Basic ${Buffer.from(`opencode:${password}`).toString('base64')}` },
      }),
    kill: async (outageMs = RESTART_MS) => {
      restartMs = outageMs
      const server = running
      signal(pidOf(), 'SIGKILL')
      await server?.exited
    },
    pause: () => void signal(pidOf(), 'SIGSTOP'),
    resume: () => void signal(pidOf(), 'SIGCONT'),
    starts: () => starts,
    waitForStart,
    close: async () => {
      closing.abort()
      if (running?.pid !== undefined) signal(running.pid, 'SIGCONT')
      await running?.stop()
      await stopped
    },
  }
}
