// Chooses the BullMQ backend: Redis where REDIS_URL is set, PostgreSQL otherwise.

import type { Processor, QueueOptions, WorkerOptions } from 'bullmq'
import { createPostgresBackend, createRedisBackend, type Queue, type Worker, withBackend } from 'bullmq'

export type QueueConnection = { readonly redisUrl: string } | { readonly postgresUrl: string }

/** Jobs carry no data: everything that a worker needs is in the database. */
export type JobData = Record<string, never>

type WithoutConnection<T> = Omit<T, 'connection'>

export type Backend = {
  /** Opens a queue to add jobs to. Its calls do not wait for a reconnect: they fail while the backend is unreachable. */
  queue(name: string, options: WithoutConnection<QueueOptions>): Queue<JobData>
  /** Opens a worker that processes jobs. It reconnects for as long as it takes. */
  worker(name: string, processor: Processor<JobData>, options: WithoutConnection<WorkerOptions>): Worker<JobData>
}

const redisBackend = (url: string): Backend => {
  const { Queue, Worker } = withBackend(createRedisBackend)
  const common = { url, connectTimeout: 3_000, keepAlive: 10_000 }
  return {
    queue: (name, options) =>
      new Queue<JobData>(name, {
        ...options,
        connection: { ...common, enableOfflineQueue: false, maxRetriesPerRequest: 1 },
      }),
    worker: (name, processor, options) =>
      new Worker<JobData>(name, processor, { ...options, connection: { ...common, maxRetriesPerRequest: null } }),
  }
}

const postgresBackend = (connectionString: string): Backend => {
  const { Queue, Worker } = withBackend(createPostgresBackend)
  const connection = { connectionString, migrate: true, max: 4, connectionTimeoutMillis: 3_000, keepAlive: true }
  return {
    queue: (name, options) => new Queue<JobData>(name, { ...options, connection }) as unknown as Queue<JobData>,
    worker: (name, processor, options) =>
      new Worker<JobData>(name, processor as never, { ...options, connection }) as unknown as Worker<JobData>,
  }
}

export const backendOf = (connection: QueueConnection): Backend =>
  'redisUrl' in connection ? redisBackend(connection.redisUrl) : postgresBackend(connection.postgresUrl)
