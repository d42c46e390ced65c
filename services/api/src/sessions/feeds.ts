// What readers of sessions share in this process: one subscription per session, and one worker call for all readers at the
// same position.

import type { CallArgs, CallResult, CallTarget } from '@switchyard/contracts'
import type { Bus, Unsubscribe } from '@switchyard/queue'
import type { WorkerCalls } from '@switchyard/worker-calls'

/** Bus hints can be lost, so a followed session is also polled at this interval, ms. */
const REREAD_MS = 5_000
const HEARTBEAT_MS = 10_000

export type SessionFollower = {
  /** Called when there may be new events. */
  onHint(): void
  onHeartbeat(): void
  /** Called when the process shuts down. */
  onClose(): void
}

type Opened = { readonly followers: Set<SessionFollower>; readonly subscribed: Promise<Unsubscribe> }

export type SessionEventPage = CallResult<'session.events'>

export class SessionFeeds {
  readonly #calls: WorkerCalls
  readonly #bus: Bus
  readonly #opened = new Map<string, Opened>()
  readonly #reading = new Map<string, Promise<SessionEventPage>>()
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

  #each(notify: (follower: SessionFollower) => void): void {
    for (const { followers } of this.#opened.values()) for (const follower of followers) notify(follower)
  }

  /**
   * Subscribes to a session. Resolves once hints arrive.
   *
   * @returns a function that unsubscribes
   * @throws SwitchyardError `queue_unavailable`
   */
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
    const existing = this.#opened.get(id)
    if (existing) return existing
    const followers = new Set<SessionFollower>()
    const subscribed = this.#bus.onHint(`session:${id}`, () => {
      for (const follower of followers) follower.onHint()
    })
    const opened = { followers, subscribed }
    this.#opened.set(id, opened)
    return opened
  }

  /** Returns the events after a cursor. Readers of the same key at the same position share one call. */
  read(args: CallArgs<'session.events'>, target: CallTarget | undefined): Promise<SessionEventPage> {
    const key = JSON.stringify(args)
    const running = this.#reading.get(key)
    if (running) return running
    const reading = this.#calls
      .call('session.events', args, target ? { target } : {})
      .finally(() => this.#reading.delete(key))
    this.#reading.set(key, reading)
    return reading
  }

  /** Closes every stream. Their readers reconnect to another process and resume. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#offResume()
    this.#each((follower) => follower.onClose())
  }
}
