// Starts `git daemon` for tests: serves repositories by URL instead of path, without
// authentication.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export type GitDaemon = {
  /** Returns the URL of a repository below the root: `git://127.0.0.1:port/name`. */
  readonly url: (name: string) => string
  readonly close: () => Promise<void>
}

const START_MS = 10_000

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return address !== null && typeof address !== 'string' ? address.port : 0
}

const isListening = async (port: number): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/**
 * Serves every repository below `root`, read-only. Resolves when the daemon accepts connections.
 */
export const startGitDaemon = async (root: string): Promise<GitDaemon> => {
  const port = await freePort()
  const at = ['--listen=127.0.0.1', `--port=${port}`, `--base-path=${root}`, '--export-all', '--reuseaddr']
  const child = spawn('git', ['daemon', ...at, root], { stdio: 'ignore', detached: true })
  const ended = once(child, 'exit')
  const close = async (): Promise<void> => {
    // `git daemon` runs as a child of `git`, so the whole process group must stop.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM')
    await ended
  }
  for (const until = Date.now() + START_MS; !(await isListening(port)); await delay(50))
    if (Date.now() > until || child.exitCode !== null) {
      await close()
      throw new Error(`git daemon does not listen on port ${port} after ${START_MS} ms`)
    }
  return { url: (name) => `git://127.0.0.1:${port}/${name}`, close }
}
