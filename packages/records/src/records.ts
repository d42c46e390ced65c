// The connection to Postgres: one pool, its limits, and the end of it.

import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { isSwitchyardError } from '@switchyard/contracts'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { guarded } from './errors.ts'
import { migrate } from './migrate.ts'
import { preparing } from './prepared.ts'
import type { Database, Db } from './schema.ts'

// bigint columns hold milliseconds and counts, far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

export type RecordsOptions = {
  readonly connectionString: string
  readonly applicationName: string
  /** Connections at most. Default 10. */
  readonly max?: number
  /** How long to wait for a free connection, ms. Default 3000, so that a caller gets an answer soon. */
  readonly connectTimeoutMs?: number
  /** How long one statement may take, ms. Default 10000. */
  readonly statementTimeoutMs?: number
  /** Called for every connection that breaks while idle; the pool replaces it. */
  readonly onConnectionError?: (error: Error) => void
}

export class Records {
  readonly db: Db
  readonly #pool: pg.Pool

  constructor(options: RecordsOptions) {
    const statementTimeoutMs = options.statementTimeoutMs ?? 10_000
    this.#pool = new pg.Pool({
      connectionString: options.connectionString,
      application_name: options.applicationName,
      max: options.max ?? 10,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 3_000,
      statement_timeout: statementTimeoutMs,
      // The server enforces statement_timeout; a server that is paused enforces nothing, so the client has its own.
      query_timeout: statementTimeoutMs + 2_000,
      keepAlive: true,
      idleTimeoutMillis: 30_000,
    })
    // Without a listener a broken idle connection ends the process.
    this.#pool.on('error', (error) => options.onConnectionError?.(error))
    // The pool listens to idle connections alone. One that breaks in use fails its query; without a listener of its own
    // it would end the process as well.
    this.#pool.on('connect', (client) => client.on('error', () => {}))
    this.db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: preparing(this.#pool) }) })
  }

  /** Milliseconds that a round trip takes. @throws SwitchyardError `database_unavailable` */
  readonly ping = guarded(async (): Promise<number> => {
    const began = performance.now()
    await sql`SELECT 1`.execute(this.db)
    return performance.now() - began
  })

  /**
   * Waits for a database that is not up yet, as long as it takes or until the signal: at the start of a stack the
   * order is not ours.
   */
  async untilReady(options: { readonly onWait: (error: Error) => void; readonly signal?: AbortSignal }): Promise<void> {
    for (;;) {
      try {
        await this.ping()
        return
      } catch (error) {
        if (!isSwitchyardError(error, 'database_unavailable')) throw error
        options.onWait(error)
        await delay(RETRY_MS, undefined, options.signal ? { signal: options.signal } : {})
      }
    }
  }

  /**
   * Which database this is: the same for all who share it, another for every other one. 12 hexadecimal digits.
   *
   * @throws SwitchyardError `database_unavailable`
   */
  readonly identity = guarded(async (): Promise<string> => {
    const { rows } = await sql<{ cluster: string; name: string }>`
      SELECT system_identifier::text AS cluster, current_database() AS name FROM pg_control_system()`.execute(this.db)
    return createHash('sha256').update(JSON.stringify(rows)).digest('hex').slice(0, 12)
  })

  readonly migrate = guarded(async (): Promise<readonly string[]> => migrate(this.db))

  /**
   * Runs `work` while this process alone holds the lock of that name, among all that share the database.
   * The lock belongs to a connection: it is free again when this process dies.
   */
  readonly withLock = guarded(async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const client = await this.#pool.connect()
    let broken: Error | undefined
    const onError = (error: Error) => {
      broken = error
    }
    client.on('error', onError)
    try {
      // Waiting for a lock is no slow statement.
      await client.query('SET statement_timeout = 0')
      await client.query({ text: `SELECT pg_advisory_lock(${LOCK_KEY})`, values: [name], ...NO_CLIENT_TIMEOUT })
      return await work()
    } finally {
      client.removeListener('error', onError)
      // A connection that did not give the lock back is closed, which gives it back.
      const released = broken === undefined && (await this.#unlock(client, name))
      client.release(!released)
    }
  })

  /**
   * As `withLock`, for what one process does for all: nothing where another is at it.
   *
   * @returns whether it was done here.
   */
  readonly withFreeLock = guarded(async (name: string, work: () => Promise<void>): Promise<boolean> => {
    const client = await this.#pool.connect()
    let broken = false
    const onError = () => {
      broken = true
    }
    client.on('error', onError)
    let isHeld = false
    try {
      const { rows } = await client.query(`SELECT pg_try_advisory_lock(${LOCK_KEY}) AS taken`, [name])
      isHeld = rows[0]?.taken === true
      if (isHeld) await work()
      return isHeld
    } finally {
      client.removeListener('error', onError)
      client.release(broken || (isHeld && !(await this.#unlock(client, name))))
    }
  })

  async #unlock(client: pg.PoolClient, name: string): Promise<boolean> {
    try {
      await client.query(`SELECT pg_advisory_unlock(${LOCK_KEY})`, [name])
      await client.query('RESET statement_timeout')
      return true
    } catch {
      return false
    }
  }

  async close(): Promise<void> {
    await this.db.destroy()
  }
}

const RETRY_MS = 1_000

const LOCK_KEY = 'hashtextextended($1, 0)'

/** pg reads `query_timeout` from the query too, which its types do not say; 0 would be the pool's. This is the longest timer there is, ms. */
const NO_CLIENT_TIMEOUT: object = { query_timeout: 2 ** 31 - 1 }
