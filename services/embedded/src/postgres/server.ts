// One run of the PostgreSQL server process: spawn, wait until it is ready, stop.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { directoryUnwritable, diskFull, SwitchyardError } from '@switchyard/contracts'
import { guardProcess } from '../guard.ts'
import { endProcess } from '../processes.ts'
import type { Account } from './account.ts'
import type { ServerLog } from './server-log.ts'

/** Recovery after a crash comes before ready; `max_wal_size` bounds it. */
const READY_LIMIT_MS = 120_000

export type ServerOptions = {
  readonly postgres: string
  readonly data: string
  readonly port: number
  readonly maxConnections: number
  readonly account: Account
  readonly log: ServerLog
}

export type Server = {
  readonly pid: number
  /** Resolves when the process has ended, for whatever reason, with how. */
  readonly exited: Promise<string>
  /** Fast shutdown (connections are closed, nothing is lost), bounded. No process is left after it. */
  stop(): Promise<void>
}

/** Why a start failed where another try can help: the port was taken in between, or old workers are still ending. */
export class RetryableStart extends Error {
  readonly reason: 'port' | 'workers'
  constructor(reason: 'port' | 'workers', message: string) {
    super(message)
    this.reason = reason
  }
}

/** A small server: durable like any, with buffers and processes for one machine's tasks. */
const settings = ({ port, maxConnections }: ServerOptions): Readonly<Record<string, string>> => ({
  listen_addresses: '127.0.0.1',
  port: String(port),
  // A socket's path may have 107 bytes; homes are longer than that.
  unix_socket_directories: '',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  shared_buffers: '96MB',
  max_connections: String(maxConnections),
  jit: 'off',
  io_method: 'sync',
  // No parallel query: its shared memory lives in /dev/shm, of which a container has 64 MB.
  max_parallel_workers_per_gather: '0',
  max_worker_processes: '2',
  max_logical_replication_workers: '0',
  logging_collector: 'off',
  log_checkpoints: 'off',
  log_connections: '',
  log_line_prefix: '%m [%p] ',
  // Parameter values may hold what tasks hold; they do not belong in a log.
  log_parameter_max_length_on_error: '0',
  lc_messages: 'C',
  timezone: 'UTC',
  log_timezone: 'UTC',
})

/**
 * Starts the server and waits until it takes connections.
 *
 * @throws RetryableStart, or SwitchyardError `disk_full`, `directory_unwritable`, `database_unavailable` with the last log lines.
 */
export const startServer = async (options: ServerOptions, signal?: AbortSignal): Promise<Server> => {
  signal?.throwIfAborted()
  const flags = Object.entries(settings(options)).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(options.postgres, ['-D', options.data, ...flags], {
    ...options.account,
    cwd: '/',
    env: { LC_ALL: 'C', TZ: 'UTC' },
    // A group of its own: Ctrl-C reaches Node alone, which first lets its own parts finish.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const lines: string[] = []
  const exited = new Promise<string>((resolve) => {
    child.once('close', (code, killedBy) => resolve(killedBy === null ? `exit code ${code}` : `signal ${killedBy}`))
    child.once('error', (error) => resolve(error.message))
  })
  const ready = new Promise<true>((resolve) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      options.log.write(line)
      if (lines.length < 100) lines.push(line)
      if (line.includes('database system is ready to accept connections')) resolve(true)
    })
  })
  const guard = child.pid === undefined ? undefined : guardProcess(child.pid, 'INT')
  void exited.then(() => guard?.close())
  const decided = new AbortController()
  const waiting = signal ? AbortSignal.any([signal, decided.signal]) : decided.signal
  const outcome = await Promise.race([ready, exited, limit(READY_LIMIT_MS, waiting)])
  decided.abort()
  const { pid } = child
  if (outcome === true && pid !== undefined) return { pid, exited, stop: () => stopChild(child, exited) }
  await stopChild(child, exited)
  signal?.throwIfAborted()
  throw failure(options, typeof outcome === 'string' ? outcome : 'not ready in time', lines)
}

/** Resolves to undefined after `ms` or at the abort, whichever is first. */
const limit = (ms: number, signal: AbortSignal): Promise<undefined> =>
  sleep(ms, undefined, { ref: false, signal }).catch(() => undefined)

const stopChild = async (child: ChildProcess, exited: Promise<string>): Promise<void> => {
  const { pid } = child
  let gone = pid === undefined || child.exitCode !== null || child.signalCode !== null
  void exited.then(() => {
    gone = true
  })
  if (pid === undefined || gone) return
  await endProcess(
    pid,
    [
      // Lets connections that are just closing finish; somebody's psql would hold it up for ever.
      { signal: 'SIGTERM', waitMs: 1_000 },
      { signal: 'SIGINT', waitMs: 15_000 },
      { signal: 'SIGQUIT', waitMs: 5_000 },
      { signal: 'SIGKILL', waitMs: 2_000 },
    ],
    () => gone,
  )
}

const failure = (options: ServerOptions, outcome: string, lines: readonly string[]): Error => {
  const text = lines.join('\n')
  if (/could not bind|Address already in use/.test(text)) return new RetryableStart('port', text)
  if (/pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(text))
    return new RetryableStart('workers', text)
  if (/No space left on device|Disk quota exceeded/.test(text)) return diskFull(options.data)
  if (/Permission denied|Read-only file system/.test(text))
    return directoryUnwritable(options.data, lines.at(-1) ?? outcome)
  return new SwitchyardError(
    'database_unavailable',
    `PostgreSQL did not start (${outcome}): ${lines.slice(-5).join(' | ')}`,
    {
      retryable: false,
      hint: `Its log is ${options.log.file}.`,
    },
  )
}
