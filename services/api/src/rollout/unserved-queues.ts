// Tracks which task queues no live worker serves, apart from workers that are restarting or have not started yet.

import { POOLS, QUEUE_NAMES, type QueueName } from '@switchyard/contracts'

/** Time in which a restarting worker is back, ms. Until then, its tasks wait for it. */
const RESTART_MS = 10_000
/** Time after the start of the system in which the first workers can appear, ms. */
const STARTUP_MS = 60_000

export type UnservedQueueNames = {
  /** Queues without a live worker. */
  readonly unserved: ReadonlySet<QueueName>
  /** Queues whose first worker can still appear, because the system is starting. */
  readonly starting: ReadonlySet<QueueName>
}

export class UnservedQueues {
  readonly #seenAt = new Map<QueueName, number>()
  #firstObservedAt: number | undefined
  #firstWorkerAt: number | undefined

  /**
   * Records the live workers and returns the unserved queues.
   *
   * @param live - number of live workers by queue
   * @param at - time of a monotonic clock, ms
   */
  observe(live: ReadonlyMap<QueueName, number>, at: number): UnservedQueueNames {
    this.#firstObservedAt ??= at
    for (const [queueName, workers] of live) if (workers > 0) this.#seenAt.set(queueName, at)
    if (this.#seenAt.size > 0) this.#firstWorkerAt ??= at
    const absent = QUEUE_NAMES.filter((queueName) => {
      const seenAt = this.#seenAt.get(queueName)
      return seenAt === undefined || at - seenAt > RESTART_MS
    })
    const canAppear = (queueName: QueueName) =>
      !this.#seenAt.has(queueName) && (queueName === 'docker' ? this.#canDockerAppear(at) : this.#canServersAppear(at))
    return {
      unserved: new Set(absent.filter((queueName) => !canAppear(queueName))),
      starting: new Set(absent.filter(canAppear)),
    }
  }

  #canServersAppear(at: number): boolean {
    return at - (this.#firstObservedAt ?? at) <= STARTUP_MS && !POOLS.some((pool) => this.#seenAt.has(pool))
  }

  /** If other workers were already live at the first observation, the system is not starting, and neither is Docker. */
  #canDockerAppear(at: number): boolean {
    const firstObservedAt = this.#firstObservedAt ?? at
    if (this.#firstWorkerAt === undefined) return at - firstObservedAt <= STARTUP_MS
    return this.#firstWorkerAt > firstObservedAt && at - this.#firstWorkerAt <= RESTART_MS
  }
}
