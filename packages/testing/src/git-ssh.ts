// Starts an sshd with git for tests. As on a forge, a deploy key gives access to one repository,
// read-only or with write access.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { appendFile, chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SSHD = '/usr/sbin/sshd'

/** Checks the git command that a deploy key requests, as a forge does. */
const GUARD = `#!/bin/sh
case "$SSH_ORIGINAL_COMMAND" in
  "git-upload-pack '$1'") ;;
  "git-receive-pack '$1'")
    [ "$2" = write ] || { echo 'ERROR: The key you are authenticating with has been marked as read only.' >&2; exit 1; } ;;
  *) echo 'ERROR: Repository not found.' >&2; exit 1 ;;
esac
at=$(dirname "$0")
if [ -e "$at/hold" ]; then
  touch "$at/held"
  while [ -e "$at/hold" ]; do sleep 0.1; done
fi
exec git-shell -c "$SSH_ORIGINAL_COMMAND"
`
/** Interval of checking whether a client waits, ms. */
const POLL_MS = 50

export type GitSsh = {
  readonly port: number
  /** Returns the server's host key as a line of a known_hosts file. */
  readonly knownHost: () => Promise<string>
  /** Returns the ssh URL of a repository on this machine. */
  readonly url: (repository: string) => string
  /** Accepts a public key for one repository from now on. */
  readonly allow: (publicKey: string, repository: string, access: 'read' | 'write') => Promise<void>
  /** Rejects every key from now on. */
  readonly denyAll: () => Promise<void>
  /**
   * Makes every client wait after its key was accepted.
   *
   * @returns `reached` resolves when the first client waits; `release` lets all of them continue
   */
  readonly hold: () => Promise<{ readonly reached: () => Promise<void>; readonly release: () => Promise<void> }>
  /** Restarts on the same port with a new host key. */
  readonly replaceHostKey: () => Promise<void>
  readonly close: () => Promise<void>
}

const freePort = async (host: string): Promise<number> => {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const found = server.address()
  server.close()
  await once(server, 'close')
  if (found === null || typeof found === 'string') throw new Error(`${host} has no free port`)
  return found.port
}

/**
 * Starts sshd on a free port.
 *
 * @param directory - for its configuration and keys; created if missing
 * @param address - the address to listen on; containers reach the address of their network's
 *   gateway
 */
export const startGitSsh = async (directory: string, address = '127.0.0.1'): Promise<GitSsh> => {
  const at = (name: string) => path.join(directory, name)
  const isRoot = process.getuid?.() === 0
  // As root, sshd requires this empty directory for its privilege separation.
  if (isRoot) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  await mkdir(directory, { recursive: true })
  await writeFile(at('guard'), GUARD)
  await chmod(at('guard'), 0o755)
  await writeFile(at('authorized_keys'), '', { mode: 0o600 })
  const port = await freePort(address)

  const createHostKey = async () => {
    await rm(at('host_key'), { force: true })
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('host_key')])
  }
  const start = async () => {
    await writeFile(
      at('sshd_config'),
      [
        `Port ${port}`,
        `ListenAddress ${address}`,
        `HostKey ${at('host_key')}`,
        'PidFile none',
        `AuthorizedKeysFile ${at('authorized_keys')}`,
        'StrictModes no',
        'UsePAM no',
        'PermitRootLogin yes',
        'PasswordAuthentication no',
        'KbdInteractiveAuthentication no',
        'LogLevel INFO',
        '',
      ].join('\n'),
    )
    const child = spawn(SSHD, ['-D', '-e', '-f', at('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = once(child, 'exit')
    const lines = createInterface({ input: child.stderr })
    const output: string[] = []
    const listening = (async () => {
      for await (const line of lines) {
        output.push(line)
        if (line.startsWith('Server listening')) return
      }
      throw new Error(`sshd did not start: ${output.join('; ')}`)
    })()
    const failed = once(child, 'error').then(([error]) => {
      throw new Error(`${SSHD} cannot run; install openssh-server: ${error}`)
    })
    await Promise.race([listening, failed])
    child.stderr.resume()
    return async () => {
      child.kill('SIGTERM')
      await ended
    }
  }

  await createHostKey()
  let stop = await start()
  return {
    port,
    knownHost: async () => `[${address}]:${port} ${(await readFile(at('host_key.pub'), 'utf8')).trim()}\n`,
    url: (repository) => `ssh://${userInfo().username}@${address}:${port}${repository}`,
    allow: async (publicKey, repository, access) =>
      await appendFile(
        at('authorized_keys'),
        `restrict,command="${at('guard')} ${repository} ${access}" ${publicKey}\n`,
      ),
    denyAll: async () => await writeFile(at('authorized_keys'), ''),
    hold: async () => {
      await rm(at('held'), { force: true })
      await writeFile(at('hold'), '')
      return {
        reached: async () => {
          while (!existsSync(at('held'))) await delay(POLL_MS)
        },
        release: () => rm(at('hold'), { force: true }),
      }
    },
    replaceHostKey: async () => {
      await stop()
      await createHostKey()
      stop = await start()
    },
    close: async () => await stop(),
  }
}
