// Statements that run at every event are prepared once a connection: to plan them takes longer than to run them.

import { createHash } from 'node:crypto'
import { systemErrorCode } from '@switchyard/contracts'
import {
  type PostgresCursor,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryResult,
  type RawBuilder,
  sql,
} from 'kysely'
import type pg from 'pg'
import type { Db } from './schema.ts'

const MARK = '/* prepared */'

/**
 * Put before a statement whose text is one of few. Not within a transaction: a statement whose result a migration has
 * changed fails once (see below), and a transaction would fail with it.
 */
export const prepared = (db: Db): RawBuilder<unknown> => (db.isTransaction ? sql`` : sql.raw(MARK))

/** "cached plan must not change result type": a migration ran since this connection prepared the statement. */
const isOutdated = (error: unknown): boolean => systemErrorCode(error) === '0A000'

const nameOf = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 24)

class PreparingClient implements PostgresPoolClient {
  readonly #client: pg.PoolClient
  readonly #outdated = new Set<string>()

  constructor(client: pg.PoolClient) {
    this.#client = client
  }

  query<R>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>>
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>
  query<R>(
    text: string | PostgresCursor<R>,
    values: readonly unknown[] = [],
  ): Promise<PostgresQueryResult<R>> | PostgresCursor<R> {
    if (typeof text !== 'string') throw new Error('no query here is read by a cursor')
    return this.#run(text, values)
  }

  async #run<R>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    // pg's own result has the fields that Kysely reads, under a wider type.
    const query = async (config: pg.QueryConfig) =>
      (await this.#client.query(config)) as unknown as PostgresQueryResult<R>
    const plain = { text, values: [...values] }
    if (!text.startsWith(MARK) || this.#outdated.has(text)) return await query(plain)
    try {
      return await query({ ...plain, name: nameOf(text) })
    } catch (error) {
      if (!isOutdated(error)) throw error
      this.#outdated.add(text)
      return await query(plain)
    }
  }

  release(destroy?: boolean): void {
    this.#client.release(destroy)
  }
}

/** A pool whose connections prepare the statements that are marked. */
export const preparing = (pool: pg.Pool): PostgresPool => {
  const clients = new WeakMap<pg.PoolClient, PreparingClient>()
  return {
    options: pool.options,
    connect: async () => {
      const client = await pool.connect()
      const known = clients.get(client) ?? new PreparingClient(client)
      clients.set(client, known)
      return known
    },
    end: () => pool.end(),
  }
}
