// The wake-up bus over Redis pub/sub: one connection publishes, one subscribes.

import { SwitchyardError, type TaskId } from '@switchyard/contracts'
import { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Bus, Command, HintTopic, TaskSignal, Unsubscribe } from './bus.ts'
import { Listeners } from './listeners.ts'

const PREFIX = 'switchyard:'
const COMMANDS = `${PREFIX}commands`
const taskChannel = (id: TaskId): string => `${PREFIX}task:${id}`

const PING_TIMEOUT_MS = 2_000

export class RedisBus implements Bus {
  readonly #publisher: Redis
  readonly #subscriber: Redis
  readonly #listeners = new Listeners<unknown>()
  readonly #resumeListeners = new Listeners<void>()
  readonly #logger: Logger

  constructor(url: string, logger: Logger) {
    this.#logger = logger
    // A signal that cannot be sent now is useless later, so it is not queued.
    this.#publisher = this.#connect(url, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: PING_TIMEOUT_MS,
    })
    // Subscriptions are queued, and ioredis subscribes to every channel again after a reconnect.
    this.#subscriber = this.#connect(url, { maxRetriesPerRequest: null })
    this.#subscriber.on('message', (channel: string, text: string) => this.#receive(channel, text))
    let first = true
    this.#subscriber.on('ready', () => {
      if (!first) this.#resumeListeners.emit('', undefined)
      first = false
    })
  }

  #connect(url: string, options: object): Redis {
    const redis = new Redis(url, {
      connectTimeout: 3_000,
      keepAlive: 10_000,
      retryStrategy: (attempt: number) => Math.min(100 * 2 ** Math.min(attempt, 5), 2_000) * (0.5 + Math.random() / 2),
      ...options,
    })
    redis.on('error', (error: Error) =>
      this.#logger.warn({ err: error.message }, 'wake-up bus connection error; reconnecting'),
    )
    return redis
  }

  #receive(channel: string, text: string): void {
    if (!this.#listeners.has(channel)) return
    this.#listeners.emit(channel, JSON.parse(text))
  }

  #publish(channel: string, value: unknown): void {
    this.#publisher.publish(channel, JSON.stringify(value)).catch((error: Error) => {
      this.#logger.debug({ channel, err: error.message }, 'failed to publish a wake-up signal')
    })
  }

  async #subscribe<T>(channel: string, listener: (value: T) => void): Promise<Unsubscribe> {
    const unsubscribe = this.#listeners.add(channel, listener as (value: unknown) => void, () => {
      this.#subscriber.unsubscribe(channel).catch(() => {})
    })
    // While Redis is unreachable this never settles: the caller does not wait, and ioredis subscribes after the reconnect.
    const subscribed = this.#subscriber.subscribe(channel).catch(() => {})
    if (this.#subscriber.status === 'ready') await subscribed
    return unsubscribe
  }

  publishTask(id: TaskId, signal: TaskSignal): void {
    this.#publish(taskChannel(id), signal)
  }

  async onTask(id: TaskId, listener: (signal: TaskSignal) => void): Promise<Unsubscribe> {
    return this.#subscribe(taskChannel(id), listener)
  }

  publishCommand(command: Command): void {
    this.#publish(COMMANDS, command)
  }

  async onCommand(listener: (command: Command) => void): Promise<Unsubscribe> {
    return this.#subscribe(COMMANDS, listener)
  }

  publishHint(topic: HintTopic): void {
    this.#publish(`${PREFIX}${topic}`, null)
  }

  async onHint(topic: HintTopic, listener: () => void): Promise<Unsubscribe> {
    return this.#subscribe(`${PREFIX}${topic}`, listener)
  }

  onResume(listener: () => void): Unsubscribe {
    return this.#resumeListeners.add('', listener)
  }

  async ping(): Promise<number> {
    const startedAt = performance.now()
    try {
      await this.#publisher.ping()
    } catch (error) {
      throw new SwitchyardError(
        'queue_unavailable',
        `Redis is unreachable: ${error instanceof Error ? error.message : error}`,
      )
    }
    return performance.now() - startedAt
  }

  async close(): Promise<void> {
    this.#publisher.disconnect()
    this.#subscriber.disconnect()
  }
}
