// Starts one PostgreSQL server for a whole test run. Each test file creates its own databases on it.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startPostgres } from '@switchyard/embedded'
import { TaskQueue } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { createDatabase } from '@switchyard/testing'
import pg from 'pg'
import { pino } from 'pino'

const logger = pino({ level: 'silent' })

/** Test data does not have to survive a crash of the machine, and waiting for the disk is slow. */
const WITHOUT_DISK_WAITS = ['fsync = off', 'full_page_writes = off', 'synchronous_commit = off']

const relaxDurability = async (url: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const setting of WITHOUT_DISK_WAITS) await client.query(`ALTER SYSTEM SET ${setting}`)
  await client.query('SELECT pg_reload_conf()')
  await client.end()
}

/** Creates a database with the current schema, for `createDatabase` to copy. */
const createTemplate = async (): Promise<string> => {
  const { url } = await createDatabase({ isEmpty: true })
  const records = new Records({ connectionString: url, applicationName: 'template' })
  const queue = new TaskQueue({ postgresUrl: url }, logger)
  await Promise.all([records.migrate(), queue.ready()])
  await Promise.all([records.close(), queue.close()])
  return new URL(url).pathname.slice(1)
}

export const setup = async (): Promise<(() => Promise<void>) | undefined> => {
  // Another project of this run has started it already, and stops it.
  if (process.env.TEST_POSTGRES_URL !== undefined) return undefined
  const home = await mkdtemp(path.join(tmpdir(), 'switchyard-test-postgres-'))
  // As root, the server runs as another user, which must be able to enter the directory.
  await chmod(home, 0o711)
  // Several test files run at a time, each with the connections of a whole system.
  const postgres = await startPostgres({ home, maxConnections: 300, logger })
  process.env.TEST_POSTGRES_URL = postgres.url
  await relaxDurability(postgres.url)
  process.env.TEST_POSTGRES_TEMPLATE = await createTemplate()
  return async () => {
    await postgres.stop()
    await rm(home, { recursive: true, force: true })
  }
}
