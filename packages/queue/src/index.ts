// BullMQ queues on Redis or PostgreSQL, and the wake-up bus.

import type { Logger } from 'pino'
import type { Bus } from './bus.ts'
import { LocalBus } from './local-bus.ts'
import { RedisBus } from './redis-bus.ts'

export type { QueueConnection } from './backend.ts'
export type { Bus, Command, TaskSignal, Unsubscribe } from './bus.ts'
export { DeliveryQueue, DeliveryWorker, type DeliveryWorkerOptions } from './delivery-queue.ts'
export { type QueueJob, type RunnableTask, TaskQueue } from './task-queue.ts'
export { type Processed, type ProcessTask, TaskWorker, type TaskWorkerOptions } from './task-worker.ts'

/** Creates a bus over Redis pub/sub, or an in-process one when `redisUrl` is undefined. */
export const createBus = (redisUrl: string | undefined, logger: Logger): Bus =>
  redisUrl ? new RedisBus(redisUrl, logger) : new LocalBus()
