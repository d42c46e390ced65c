// Which task queues no live worker serves: for longer than a worker needs to restart, or not yet since the system started.

import { POOLS, QUEUE_NAMES, type QueueName } from '@switchyard/contracts'

/** A worker that is replaced is back within this time, ms: until then its tasks wait for it. */
const REPLACED_MS = 10_000
/** At the start of everything workers and servers may come later than the first tasks, ms. */
const STARTING_MS = 60_000

export type Absent = {
  /** Nobody has taken them for a while. */
  readonly gone: ReadonlySet<QueueName>
  /** Nobody has taken them yet, and everything is being started. */
  readonly awaited: ReadonlySet<QueueName>
}

export class UnservedQueues {
  readonly #seenAt = new Map<QueueName, number>()
  #beganAt: number | undefined
  #firstAt: number | undefined

  /** @param live - live workers by queue. @param at - a steady clock, ms. */
  see(live: ReadonlyMap<QueueName, number>, at: number): Absent {
    this.#beganAt ??= at
    for (const [queueName, workers] of live) if (workers > 0) this.#seenAt.set(queueName, at)
    if (this.#seenAt.size > 0) this.#firstAt ??= at
    const absent = QUEUE_NAMES.filter((queueName) => {
      const seenAt = this.#seenAt.get(queueName)
      return seenAt === undefined || at - seenAt > REPLACED_MS
    })
    const mayCome = (queueName: QueueName) =>
      !this.#seenAt.has(queueName) && (queueName === 'docker' ? this.#mayDockerCome(at) : this.#mayServersCome(at))
    return {
      gone: new Set(absent.filter((queueName) => !mayCome(queueName))),
      awaited: new Set(absent.filter(mayCome)),
    }
  }

  #mayServersCome(at: number): boolean {
    return at - (this.#beganAt ?? at) <= STARTING_MS && !POOLS.some((pool) => this.#seenAt.has(pool))
  }

  /** Where others were there at the first look the workers are no newer than we are: it is there, or it is not. */
  #mayDockerCome(at: number): boolean {
    const beganAt = this.#beganAt ?? at
    if (this.#firstAt === undefined) return at - beganAt <= STARTING_MS
    return this.#firstAt > beganAt && at - this.#firstAt <= REPLACED_MS
  }
}
