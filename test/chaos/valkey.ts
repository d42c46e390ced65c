// Runs Valkey, the queue's store, in a container that can be restarted, paused and emptied.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { waitUntil } from './wait.ts'

const run = promisify(execFile)

const IMAGE = 'valkey/valkey:8.1'
/** Valkey without persistence, reachable from outside its container. */
const SERVER = ['valkey-server', '--save', '', '--protected-mode', 'no']

export type Valkey = {
  readonly url: string
  readonly port: number
  /** Restarts it without its data. Every connection breaks. */
  readonly restart: () => Promise<void>
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  readonly flush: () => Promise<void>
  readonly close: () => Promise<void>
}

/**
 * Returns the reason why Valkey cannot run here, or undefined if it can. With REQUIRE_DOCKER=1 it
 * always returns undefined, so that a missing engine fails the test.
 */
export const whyNoValkey = async (): Promise<string | undefined> => {
  if (process.env.REQUIRE_DOCKER === '1') return undefined
  try {
    await run('docker', ['image', 'inspect', IMAGE], { timeout: 10_000 })
    return undefined
  } catch {
    return `no Docker engine has the image ${IMAGE}`
  }
}

const docker = async (...args: string[]): Promise<string> =>
  (await run('docker', args, { timeout: 60_000 })).stdout.trim()

export const startValkey = async (runId: string): Promise<Valkey> => {
  // Choose the port here, because a port that Docker chooses changes with a restart.
  const port = await freePort()
  const name = `switchyard-chaos-${runId}`
  await docker('run', '-d', '--name', name, '-p', `127.0.0.1:${port}:6379`, IMAGE, ...SERVER)
  const url = `redis://127.0.0.1:${port}`
  const cli = (command: string): Promise<string> => docker('exec', name, 'valkey-cli', command)
  const waitUntilReady = async (): Promise<void> => {
    await waitUntil('Valkey answers', async () => (await cli('ping')) === 'PONG', 30_000, 100)
  }
  await waitUntilReady()
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
      // Not `docker restart`: a busy engine can report it as done before the old process has
      // exited.
      await docker('kill', name)
      await docker('wait', name)
      await docker('start', name)
      await waitUntilReady()
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
