// The queue's store as a victim: a Valkey container, restarted, paused and emptied.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { until } from './wait.ts'

const run = promisify(execFile)

const IMAGE = 'valkey/valkey:8.1'
/** Nothing is kept on disk, and connections from outside of the container are taken. */
const SERVER = ['valkey-server', '--save', '', '--protected-mode', 'no']

export type Valkey = {
  readonly url: string
  readonly port: number
  /** Everything it held is gone, and so is every connection. */
  readonly restart: () => Promise<void>
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  readonly flush: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Why there can be no Valkey here; undefined where there can. With REQUIRE_DOCKER=1 it fails instead of being skipped. */
export const whyNoValkey = async (): Promise<string | undefined> => {
  if (process.env.REQUIRE_DOCKER === '1') return undefined
  try {
    await run('docker', ['image', 'inspect', IMAGE], { timeout: 10_000 })
    return undefined
  } catch {
    return `there is no Docker engine with the image ${IMAGE}`
  }
}

const docker = async (...args: string[]): Promise<string> =>
  (await run('docker', args, { timeout: 60_000 })).stdout.trim()

export const startValkey = async (runId: string): Promise<Valkey> => {
  // A port of our choice: one that Docker chooses changes with a restart.
  const port = await freePort()
  const name = `switchyard-chaos-${runId}`
  await docker('run', '-d', '--name', name, '-p', `127.0.0.1:${port}:6379`, IMAGE, ...SERVER)
  const url = `redis://127.0.0.1:${port}`
  const cli = (command: string): Promise<string> => docker('exec', name, 'valkey-cli', command)
  const untilReady = async (): Promise<void> => {
    await until('Valkey answers', async () => (await cli('ping')) === 'PONG', 30_000, 100)
  }
  await untilReady()
  let isPaused = false
  const resume = async (): Promise<void> => {
    if (!isPaused) return
    await docker('unpause', name)
    isPaused = false
  }
  return {
    url,
    port,
    restart: async () => {
      // Step by step: a busy engine can take a restart for done before the old process has ended.
      await docker('kill', name)
      await docker('wait', name)
      await docker('start', name)
      await untilReady()
    },
    pause: async () => {
      await docker('pause', name)
      isPaused = true
    },
    resume,
    flush: async () => void (await cli('flushall')),
    close: async () => {
      await resume()
      await docker('rm', '--force', '--volumes', name)
    },
  }
}
