// Runs initdb, which creates a data directory.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { directoryUnwritable, diskFull, SwitchyardError } from '@switchyard/contracts'
import { guardProcess } from '../system/guard.ts'
import type { Account } from './account.ts'

const LIMIT_MS = 60_000

export type InitdbOptions = {
  readonly binary: string
  readonly account: Account
  readonly data: string
  readonly user: string
  readonly passwordFile: string
  /** The directory to name in errors. */
  readonly directory: string
  readonly signal?: AbortSignal | undefined
}

const argumentsOf = ({ data, user, passwordFile }: InitdbOptions): readonly string[] => [
  `--pgdata=${data}`,
  `--username=${user}`,
  `--pwfile=${passwordFile}`,
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  // The collation that is built into the server: it sorts the same on every system and needs none of its locales.
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--no-instructions',
]

/**
 * Creates the data directory. initdb and the servers it starts form a process group: after 60 s, on abort
 * and when Node is killed, none of them keeps running.
 *
 * @throws SwitchyardError `disk_full`, `directory_unwritable`, `database_unavailable`; the reason of the signal
 */
export const runInitdb = async (options: InitdbOptions): Promise<void> => {
  const { binary, account, directory, signal } = options
  signal?.throwIfAborted()
  const child = spawn(binary, argumentsOf(options), {
    ...account,
    cwd: '/',
    // With TZ set, initdb does not search every time zone file.
    env: { TZ: 'UTC', LC_ALL: 'C' },
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const guard = child.pid === undefined ? undefined : guardProcess(child.pid, 'TERM')
  const timeout = AbortSignal.timeout(LIMIT_MS)
  const stop = signal ? AbortSignal.any([signal, timeout]) : timeout
  const killGroup = (): void => {
    try {
      // The stderr pipe closes only when the servers that initdb started have exited too.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // The group has exited already.
    }
  }
  stop.addEventListener('abort', killGroup)
  try {
    const [problem, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
    signal?.throwIfAborted()
    if (code === 0) return
    throw failure(directory, timeout.aborted ? `no result within ${LIMIT_MS / 1_000} s` : `exit code ${code}`, problem)
  } finally {
    stop.removeEventListener('abort', killGroup)
    guard?.close()
  }
}

const failure = (directory: string, outcome: string, problem: string): SwitchyardError => {
  if (/No space left on device|Disk quota exceeded/.test(problem)) return diskFull(directory)
  if (/Permission denied|Read-only file system/.test(problem)) return directoryUnwritable(directory, problem.trim())
  const isUnknownUser = problem.includes('could not look up effective user ID')
  return new SwitchyardError('database_unavailable', `initdb failed (${outcome}): ${problem.trim().slice(-2_000)}`, {
    retryable: false,
    hint: isUnknownUser
      ? 'Run Switchyard as a user with an entry in /etc/passwd, which PostgreSQL requires, or set DATABASE_URL.'
      : `Fix the problem in the message and restart; ${directory} has no incomplete files.`,
  })
}
