// Both queue backends for tests: PostgreSQL from the test run, Redis where the machine has one.

import { createDatabase, startRedis, type TestRedis, whyNoRedis } from '@switchyard/testing'
import { afterAll, afterEach, beforeEach } from 'vitest'
import type { QueueConnection } from './backend.ts'

export type BackendName = 'Redis' | 'PostgreSQL'

/** Redis has 16 databases; each test gets the next one. */
const DATABASES = 16

/** Registers the set-up of a backend. @returns a function that gives the running test an empty backend. */
export const useBackend = (name: BackendName): (() => QueueConnection) => {
  let redis: TestRedis | undefined
  let next = 0
  let connection: QueueConnection | undefined
  let drop: (() => Promise<void>) | undefined

  beforeEach(async (context) => {
    if (name === 'PostgreSQL') {
      const database = await createDatabase()
      connection = { postgresUrl: database.url }
      drop = database.drop
      return
    }
    const reason = await whyNoRedis()
    if (reason) context.skip(reason)
    redis ??= await startRedis()
    if (next === DATABASES) throw new Error(`more than ${DATABASES} tests share one Redis`)
    connection = { redisUrl: `${redis.url}/${next++}` }
  })
  afterEach(async () => {
    await drop?.()
    drop = undefined
  })
  afterAll(async () => await redis?.stop())

  return () => {
    if (!connection) throw new Error('no backend outside of a test')
    return connection
  }
}
