// Both queue backends for tests: PostgreSQL from the test run, Redis where the machine has one.

import type { TaskId } from '@switchyard/contracts'
import { createDatabase, startRedis, type TestRedis, whyNoRedis } from '@switchyard/testing'
import { pino } from 'pino'
import { afterAll, afterEach, beforeEach } from 'vitest'
import type { QueueConnection } from './backend.ts'
import type { RunnableTask } from './task-queue.ts'

export type BackendName = 'Redis' | 'PostgreSQL'

export const silent = pino({ level: 'silent' })

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

/** Closes everything that a test opened, in reverse order. */
export const useClosing = (): (<T extends { close(): Promise<void> }>(resource: T) => T) => {
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const resource of opened.splice(0).reverse()) await resource.close()
  })
  return (resource) => {
    opened.push(resource)
    return resource
  }
}

export const taskId = (name: string): TaskId => `task_${name}` as TaskId

export const task = (name: string, columns: Partial<RunnableTask> = {}): RunnableTask => ({
  id: taskId(name),
  priority: 5,
  generation: 0,
  mode: 'opencode',
  pool: 'blue',
  ...columns,
})
