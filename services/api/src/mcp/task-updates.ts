// Notifies subscribed MCP clients of changes to tasks that they may see, whichever process made the change.

import { AsyncLocalStorage } from 'node:async_hooks'
import { InMemoryServerEventBus, type ServerEvent, type ServerEventBus } from '@modelcontextprotocol/server'
import type { Logger } from '@switchyard/config'
import { type Caller, mayAccess } from '../access/caller.ts'
import type { AllTaskEventsFeed, AllTaskEventsFollower } from '../all-task-events/feed.ts'
import { taskUri } from './task-resources.ts'

/** Positions to start before the horizon. An event can commit after one with a higher position, so some repeat. */
const LOOK_BACK = 1_000

export class TaskUpdates implements ServerEventBus, AllTaskEventsFollower {
  readonly #feed: AllTaskEventsFeed
  readonly #logger: Logger
  /** The library subscribes without naming the caller, so the caller of the current request is tracked here. */
  readonly #caller = new AsyncLocalStorage<Caller>()
  readonly #others = new InMemoryServerEventBus()
  readonly #listeners = new Map<(event: ServerEvent) => void, Caller | undefined>()
  #unfollow: (() => void) | undefined
  #cursor: number | undefined
  #isSending = false

  constructor(feed: AllTaskEventsFeed, logger: Logger) {
    this.#feed = feed
    this.#logger = logger
  }

  /** Runs `work`; the subscriptions that it opens belong to the caller. */
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
    if (!this.#isSending) void this.#sendPending()
  }

  onHeartbeat(): void {}

  /** The endpoint closes the streams. */
  onClose(): void {
    this.#unfollow?.()
    this.#unfollow = undefined
  }

  async #sendPending(): Promise<void> {
    this.#isSending = true
    try {
      let cursor = this.#cursor ?? Math.max(0, this.#feed.horizon - LOOK_BACK)
      while (this.#unfollow !== undefined && cursor < this.#feed.horizon) {
        const page = await this.#feed.page(cursor, {})
        const owners = new Map(page.events.map((entry) => [entry.event.task_id, entry.owner_key]))
        for (const [taskId, owner] of owners) this.#notify(taskId, owner)
        cursor = page.through
        this.#cursor = cursor
      }
    } catch (error) {
      this.#logger.debug({ err: error }, 'failed to read updates of subscribed tasks; retrying at the next poll')
    } finally {
      this.#isSending = false
    }
  }

  #notify(taskId: string, owner: string): void {
    const event: ServerEvent = { kind: 'resource_updated', uri: taskUri(taskId) }
    for (const [listener, caller] of this.#listeners) if (caller && mayAccess(caller, owner)) listener(event)
  }
}
