// Runs the embedded PostgreSQL, and can pause it and kill it by pid.

import { mkdir } from 'node:fs/promises'
import { startPostgres } from '@switchyard/embedded'
import pg from 'pg'
import { pino } from 'pino'
import { childrenOf, signal } from './processes.ts'
import { waitUntil } from './wait.ts'

export type PostgresProcess = {
  readonly url: string
  readonly port: number
  /**
   * Stops the server and all its connections immediately. It restarts at once, as a container
   * would.
   */
  readonly restart: (how: 'SIGINT' | 'SIGQUIT') => Promise<void>
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  /** Runs a query of the test itself. Retries while the database is unavailable. */
  readonly query: <T>(text: string, values?: readonly unknown[]) => Promise<readonly T[]>
  readonly close: () => Promise<void>
}

const QUERY_MS = 30_000

export const startPostgresProcess = async (home: string): Promise<PostgresProcess> => {
  await mkdir(home, { recursive: true, mode: 0o711 })
  const postgres = await startPostgres({ home, logger: pino({ level: 'silent' }) })
  const pool = new pg.Pool({
    connectionString: postgres.url,
    application_name: 'chaos',
    max: 4,
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
  })
  pool.on('error', () => undefined)
  const allPids = async (): Promise<readonly number[]> => [postgres.pid(), ...(await childrenOf(postgres.pid()))]
  let paused: readonly number[] = []
  const resume = async (): Promise<void> => {
    for (const pid of paused) signal(pid, 'SIGCONT')
    paused = []
  }
  const query = async <T>(text: string, values: readonly unknown[] = []): Promise<readonly T[]> =>
    await waitUntil(
      'a query of the test itself succeeds',
      async () => ((await pool.query(text, [...values])).rows ?? []) as T[],
      QUERY_MS,
      200,
    )
  return {
    url: postgres.url,
    port: postgres.port,
    query,
    restart: async (how) => {
      const before = postgres.pid()
      signal(before, how)
      await waitUntil('the database restarts', () => postgres.pid() !== before, 30_000)
      await query('SELECT 1')
    },
    pause: async () => {
      // Stop the server first, so that it starts no new process for a connection.
      signal(postgres.pid(), 'SIGSTOP')
      paused = await allPids()
      for (const pid of paused) signal(pid, 'SIGSTOP')
    },
    resume,
    close: async () => {
      await resume()
      await pool.end()
      await postgres.stop()
    },
  }
}
