// The queue's backend, chosen in this one place: BullMQ on Redis, or on PostgreSQL where there is no Redis.

import type { Processor, QueueOptions, WorkerOptions } from 'bullmq'
import { createPostgresBackend, createRedisBackend, type Queue, type Worker, withBackend } from 'bullmq'

export type QueueConnection = { readonly redisUrl: string } | { readonly postgresUrl: string }

/** The job carries nothing: all there is to know is in the task's row. */
export type JobData = Record<string, never>

type Options<T> = Omit<T, 'connection'>

export type Backend = {
  /** @param patient - wait for a connection that is away (a worker) instead of failing at once (a producer). */
  queue(name: string, options: Options<QueueOptions>): Queue<JobData>
  worker(name: string, processor: Processor<JobData>, options: Options<WorkerOptions>): Worker<JobData>
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
