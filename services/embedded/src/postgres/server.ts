// Runs the PostgreSQL server process: spawns it, waits until it is ready, stops it.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { directoryUnwritable, diskFull, SwitchyardError } from '@switchyard/contracts'
import { guardProcess } from '../system/guard.ts'
import { stopProcess } from '../system/processes.ts'
import type { Account } from './account.ts'
import type { ServerLog } from './server-log.ts'

/** Includes the recovery after a crash, which `max_wal_size` bounds. */
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
  /** Resolves when the process has exited, with its exit code or signal as text. */
  readonly exited: Promise<string>
  /** Shuts down fast: closes the connections and loses nothing. Kills the process after 23 s. */
  stop(): Promise<void>
}

/** A failed start that is worth a retry: the port is in use, or worker processes of the previous server are still exiting. */
export class RetryableStart extends Error {
  readonly reason: 'port' | 'workers'
  constructor(reason: 'port' | 'workers', message: string) {
    super(message)
    this.reason = reason
  }
}

/** Durability as usual, with buffers and processes sized for the tasks of one machine. */
const settings = ({ port, maxConnections }: ServerOptions): Readonly<Record<string, string>> => ({
  listen_addresses: '127.0.0.1',
  port: String(port),
  // The path of a socket is limited to 107 bytes, which a home can exceed.
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
  // Parallel queries need shared memory in /dev/shm, and a container has only 64 MB of it.
  max_parallel_workers_per_gather: '0',
  max_worker_processes: '2',
  max_logical_replication_workers: '0',
  logging_collector: 'off',
  log_checkpoints: 'off',
  log_connections: '',
  log_line_prefix: '%m [%p] ',
  // Parameters can contain task content, which must not be logged.
  log_parameter_max_length_on_error: '0',
  lc_messages: 'C',
  timezone: 'UTC',
  log_timezone: 'UTC',
})

/**
 * Starts the server and waits up to 120 s until it accepts connections.
 *
 * @throws RetryableStart, or SwitchyardError `disk_full`, `directory_unwritable`, or `database_unavailable` with the last log lines
 */
export const startServer = async (options: ServerOptions, signal?: AbortSignal): Promise<Server> => {
  signal?.throwIfAborted()
  const flags = Object.entries(settings(options)).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const child = spawn(options.postgres, ['-D', options.data, ...flags], {
    ...options.account,
    cwd: '/',
    env: { LC_ALL: 'C', TZ: 'UTC' },
    // Its own process group: Ctrl-C reaches Node only, which stops its own components first.
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
  throw failure(options, typeof outcome === 'string' ? outcome : `not ready within ${READY_LIMIT_MS / 1_000} s`, lines)
}

/** Resolves after `ms` or on abort, whichever comes first. */
const limit = (ms: number, signal: AbortSignal): Promise<undefined> =>
  sleep(ms, undefined, { ref: false, signal }).catch(() => undefined)

const stopChild = async (child: ChildProcess, exited: Promise<string>): Promise<void> => {
  const { pid } = child
  let hasExited = pid === undefined || child.exitCode !== null || child.signalCode !== null
  void exited.then(() => {
    hasExited = true
  })
  if (pid === undefined || hasExited) return
  await stopProcess(
    pid,
    [
      // Waits for connections that are closing; an open psql would block it forever.
      { signal: 'SIGTERM', waitMs: 1_000 },
      { signal: 'SIGINT', waitMs: 15_000 },
      { signal: 'SIGQUIT', waitMs: 5_000 },
      { signal: 'SIGKILL', waitMs: 2_000 },
    ],
    () => hasExited,
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
      hint: `Read its log: ${options.log.file}.`,
    },
  )
}
