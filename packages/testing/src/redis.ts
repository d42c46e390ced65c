// Starts a real Redis-compatible server for a test: `valkey-server` or `redis-server` from PATH,
// else a container.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'

export type TestRedis = { readonly url: string; readonly stop: () => Promise<void> }

const IMAGE = 'valkey/valkey:8.1'
const SERVERS = ['valkey-server', 'redis-server']

const findOnPath = (): string | undefined => {
  for (const directory of (process.env.PATH ?? '').split(path.delimiter))
    for (const name of SERVERS) {
      const file = path.join(directory, name)
      try {
        accessSync(file, constants.X_OK)
        return file
      } catch {
        // Not in this directory.
      }
    }
  return undefined
}

const hasImage = async (): Promise<boolean> => {
  const child = spawn('docker', ['image', 'inspect', IMAGE], { stdio: 'ignore' })
  const code = await Promise.race([once(child, 'exit').then(([exit]) => exit), once(child, 'error').then(() => 1)])
  return code === 0
}

/**
 * Returns the reason why tests that need Redis must be skipped here, or undefined when `startRedis`
 * works. With REQUIRE_DOCKER=1 it always returns undefined, so that a missing server fails the
 * test.
 */
export const whyNoRedis = async (): Promise<string | undefined> => {
  if (process.env.REQUIRE_DOCKER === '1' || findOnPath() !== undefined || (await hasImage())) return undefined
  return `neither ${SERVERS.join(' nor ')} is on PATH, and no Docker engine has the image ${IMAGE}`
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

const startBinary = async (file: string): Promise<TestRedis> => {
  const dir = await mkdtemp(path.join(tmpdir(), 'switchyard-test-redis-'))
  const port = await freePort()
  const child = spawn(file, ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const chunk of child.stdout) if (String(chunk).includes('Ready to accept connections')) break
  child.stdout.resume()
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const startContainer = async (): Promise<TestRedis> => {
  // Testcontainers reads this at import. Its reaper needs another image; here the caller stops the
  // container.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true'
  const { GenericContainer, Wait } = await import('testcontainers')
  const container = await new GenericContainer(IMAGE)
    .withExposedPorts(6379)
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .start()
  return {
    url: `redis://${container.getHost()}:${container.getMappedPort(6379)}`,
    stop: async () => {
      await container.stop()
    },
  }
}

/** Starts an empty server on a free port. Call `stop` when the test is done. */
export const startRedis = async (): Promise<TestRedis> => {
  const file = findOnPath()
  return file === undefined ? startContainer() : startBinary(file)
}
