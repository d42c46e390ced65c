// The database as a victim: the embedded PostgreSQL, stopped, continued and killed by pid.

import { mkdir } from 'node:fs/promises'
import { startPostgres } from '@switchyard/embedded'
import pg from 'pg'
import { pino } from 'pino'
import { childrenOf, signal } from './processes.ts'
import { until } from './wait.ts'

export type PostgresVictim = {
  readonly url: string
  readonly port: number
  /** Immediate end of the server and all its connections; it is started again at once, as a container's policy does. */
  readonly restart: (how: 'SIGINT' | 'SIGQUIT') => Promise<void>
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  /** Returns rows for the harness; retries while the database is unavailable. */
  readonly query: <T>(text: string, values?: readonly unknown[]) => Promise<readonly T[]>
  readonly close: () => Promise<void>
}

const QUERY_MS = 30_000

export const startVictimPostgres = async (home: string): Promise<PostgresVictim> => {
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
  const everyone = async (): Promise<readonly number[]> => [postgres.pid(), ...(await childrenOf(postgres.pid()))]
  let paused: readonly number[] = []
  const resume = async (): Promise<void> => {
    for (const pid of paused) signal(pid, 'SIGCONT')
    paused = []
  }
  const query = async <T>(text: string, values: readonly unknown[] = []): Promise<readonly T[]> =>
    await until(
      'a query of the harness',
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
      await until('the database is back', () => postgres.pid() !== before, 30_000)
      await query('SELECT 1')
    },
    pause: async () => {
      // The server first: one that is stopped starts no new process for a connection.
      signal(postgres.pid(), 'SIGSTOP')
      paused = await everyone()
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
