// Tells subscribed MCP clients that a task has changed: whatever process wrote it, and only of tasks that they may see.

import { AsyncLocalStorage } from 'node:async_hooks'
import { InMemoryServerEventBus, type ServerEvent, type ServerEventBus } from '@modelcontextprotocol/server'
import type { Logger } from '@switchyard/config'
import { type Caller, mayAccess } from '../access/caller.ts'
import type { StandingFeed, StandingFollower } from '../all-task-events/feed.ts'
import { taskUri } from './task-resources.ts'

/** What was written just before a subscription may be told again: an event may commit after one with a higher position. */
const LOOK_BACK = 1_000

export class TaskUpdates implements ServerEventBus, StandingFollower {
  readonly #feed: StandingFeed
  readonly #logger: Logger
  /** The library asks for events without saying for whom; the call it does that in is known. */
  readonly #caller = new AsyncLocalStorage<Caller>()
  readonly #others = new InMemoryServerEventBus()
  readonly #listeners = new Map<(event: ServerEvent) => void, Caller | undefined>()
  #unfollow: (() => void) | undefined
  #cursor: number | undefined
  #isPumping = false

  constructor(feed: StandingFeed, logger: Logger) {
    this.#feed = feed
    this.#logger = logger
  }

  /** Subscriptions that `work` opens are this caller's. */
  async onBehalfOf<T>(caller: Caller, work: () => Promise<T>): Promise<T> {
    return await this.#caller.run(caller, work)
  }

  publish(event: ServerEvent): void {
    this.#others.publish(event)
  }

  subscribe(listener: (event: ServerEvent) => void): () => void {
    const offOthers = this.#others.subscribe(listener)
    this.#listeners.set(listener, this.#caller.getStore())
    this.#unfollow ??= this.#feed.follow(this)
    return () => {
      offOthers()
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#unfollow?.()
      this.#unfollow = undefined
      this.#cursor = undefined
    }
  }

  onProgress(): void {
    if (!this.#isPumping) void this.#pump()
  }

  onHeartbeat(): void {}

  /** The streams are ended by the endpoint. */
  onClose(): void {
    this.#unfollow?.()
    this.#unfollow = undefined
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    try {
      let cursor = this.#cursor ?? Math.max(0, this.#feed.horizon - LOOK_BACK)
      while (this.#unfollow !== undefined && cursor < this.#feed.horizon) {
        const page = await this.#feed.page(cursor, {})
        const owners = new Map(page.events.map((placed) => [placed.event.task_id, placed.owner_key]))
        for (const [taskId, owner] of owners) this.#tell(taskId, owner)
        cursor = page.through
        this.#cursor = cursor
      }
    } catch (error) {
      this.#logger.debug({ err: error }, 'subscribed tasks were not looked at; the next round tries')
    } finally {
      this.#isPumping = false
    }
  }

  #tell(taskId: string, owner: string): void {
    const event: ServerEvent = { kind: 'resource_updated', uri: taskUri(taskId) }
    for (const [listener, caller] of this.#listeners) if (caller && mayAccess(caller, owner)) listener(event)
  }
}
