// What readers of sessions share in this process: one subscription a session, and one call for readers at the same place.

import type { CallArgs, CallResult, CallTarget } from '@switchyard/contracts'
import type { Bus, Unsubscribe } from '@switchyard/queue'
import type { WorkerCalls } from '@switchyard/worker-calls'

/** The bus only hints: so often a followed session is read all the same, ms. */
const REREAD_MS = 5_000
const HEARTBEAT_MS = 10_000

export type SessionFollower = {
  /** Something may have happened. */
  onHint(): void
  onHeartbeat(): void
  /** The process stops. */
  onClose(): void
}

type Opened = { readonly followers: Set<SessionFollower>; readonly subscribed: Promise<Unsubscribe> }

export type Page = CallResult<'session.events'>

export class SessionFeeds {
  readonly #calls: WorkerCalls
  readonly #bus: Bus
  readonly #opened = new Map<string, Opened>()
  readonly #reading = new Map<string, Promise<Page>>()
  readonly #timers: readonly NodeJS.Timeout[]
  readonly #offResume: Unsubscribe

  constructor(calls: WorkerCalls, bus: Bus) {
    this.#calls = calls
    this.#bus = bus
    const reread = setInterval(() => this.#each((follower) => follower.onHint()), REREAD_MS)
    const heartbeat = setInterval(() => this.#each((follower) => follower.onHeartbeat()), HEARTBEAT_MS)
    this.#timers = [reread.unref(), heartbeat.unref()]
    this.#offResume = bus.onResume(() => this.#each((follower) => follower.onHint()))
  }

  #each(tell: (follower: SessionFollower) => void): void {
    for (const { followers } of this.#opened.values()) for (const follower of followers) tell(follower)
  }

  /** @returns a function that ends it. Resolves when hints arrive. @throws SwitchyardError `queue_unavailable` */
  async follow(id: string, follower: SessionFollower): Promise<() => void> {
    const opened = this.#open(id)
    opened.followers.add(follower)
    const stop = () => {
      if (!opened.followers.delete(follower) || opened.followers.size > 0) return
      this.#opened.delete(id)
      opened.subscribed.then(
        (unsubscribe) => unsubscribe(),
        () => {},
      )
    }
    try {
      await opened.subscribed
      return stop
    } catch (error) {
      stop()
      throw error
    }
  }

  #open(id: string): Opened {
    const there = this.#opened.get(id)
    if (there) return there
    const followers = new Set<SessionFollower>()
    const subscribed = this.#bus.onHint(`session:${id}`, () => {
      for (const follower of followers) follower.onHint()
    })
    const opened = { followers, subscribed }
    this.#opened.set(id, opened)
    return opened
  }

  /** The events after a cursor; readers at the same place, of the same key, share one call. */
  read(args: CallArgs<'session.events'>, target: CallTarget | undefined): Promise<Page> {
    const key = JSON.stringify(args)
    const there = this.#reading.get(key)
    if (there) return there
    const reading = this.#calls
      .call('session.events', args, target ? { target } : {})
      .finally(() => this.#reading.delete(key))
    this.#reading.set(key, reading)
    return reading
  }

  /** Ends every stream; their readers come back to another process and resume. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#offResume()
    this.#each((follower) => follower.onClose())
  }
}
