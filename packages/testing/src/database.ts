// A database of its own for a test file, on the PostgreSQL that the test run started.

import { randomBytes } from 'node:crypto'
import pg from 'pg'

export type TestDatabase = { readonly url: string; readonly drop: () => Promise<void> }

/** @param server - URL of the server; default: the one of the test run. */
export const createDatabase = async (server = process.env.TEST_POSTGRES_URL): Promise<TestDatabase> => {
  if (!server)
    throw new Error('TEST_POSTGRES_URL is not set: run the tests from the root, where vitest.config.ts starts it')
  const name = `test_${randomBytes(8).toString('hex')}`
  const run = async (statement: string) => {
    const client = new pg.Client({ connectionString: server })
    await client.connect()
    try {
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
  await run(`CREATE DATABASE ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run(`DROP DATABASE ${name} WITH (FORCE)`) }
}
