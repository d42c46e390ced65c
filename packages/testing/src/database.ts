// A database for one test file, on the PostgreSQL server that the test run started.

import { randomBytes } from 'node:crypto'
import pg from 'pg'

export type TestDatabase = { readonly url: string; readonly drop: () => Promise<void> }

export type TestDatabaseOptions = {
  /** URL of the server. Defaults to the one that the test run started. */
  readonly server?: string | undefined
  /**
   * Creates a database without tables, for tests of the migrations. By default it has the current
   * schema.
   */
  readonly isEmpty?: boolean
}

/** Creates a database with the current schema. */
export const createDatabase = async (options: TestDatabaseOptions = {}): Promise<TestDatabase> => {
  const { server = process.env.TEST_POSTGRES_URL, isEmpty = false } = options
  if (!server)
    throw new Error(
      'no PostgreSQL server in this test run: name the file *.services.test.ts, and run vitest from the repository root',
    )
  const template = isEmpty || options.server !== undefined ? undefined : process.env.TEST_POSTGRES_TEMPLATE
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
  await run(template === undefined ? `CREATE DATABASE ${name}` : `CREATE DATABASE ${name} TEMPLATE ${template}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run(`DROP DATABASE ${name} WITH (FORCE)`) }
}
