// Routes each event of the stream to the subscriptions to its session or to a session above it.

import type { Session } from '@opencode-ai/sdk/v2'
import type { Logger } from 'pino'
import type { OpenCodeEvent } from './event-stream.ts'

/**
 * Why the state has to be fetched again. `connected`: the stream connected, or reconnected after a break. `watchdog`: it was
 * silent for too long. `server_restarted`: turns from before the restart no longer run.
 */
export type ResyncReason = 'connected' | 'watchdog' | 'server_restarted'

export type SubscriptionMessage =
  | { readonly kind: 'event'; readonly sessionId: string; readonly event: OpenCodeEvent }
  | { readonly kind: 'resync'; readonly reason: ResyncReason }

/** Called at once and in order. Messages are not buffered: a slow subscriber needs a bounded queue of its own. */
export type SubscriptionListener = (message: SubscriptionMessage) => void

/** A subscription to a root session and all sessions below it. */
export type RouterEntry = {
  readonly root: string
  readonly directory: string
  readonly listener: SubscriptionListener
}

export type EventRouter = {
  readonly add: (entry: RouterEntry) => { readonly remove: () => void }
  readonly entries: () => readonly RouterEntry[]
  readonly route: (event: OpenCodeEvent) => void
  /** Adds a child session that was found by other means than its own event. */
  readonly adopt: (session: Pick<Session, 'id' | 'parentID'>) => void
  readonly resync: (entry: RouterEntry, reason: ResyncReason) => void
  /** Returns the known sessions of a tree: the root first, then its descendants. */
  readonly tree: (root: string) => readonly string[]
}

/** Stores only the trees of subscribed sessions; a tree is removed with the last subscription to it. */
export const createEventRouter = (logger: Logger): EventRouter => {
  const subscribed = new Map<string, Set<RouterEntry>>()
  /** child → parent, only below subscribed sessions. */
  const parents = new Map<string, string>()

  const ancestry = (sessionId: string): readonly string[] => {
    const chain = [sessionId]
    for (let at = parents.get(sessionId); at !== undefined && !chain.includes(at); at = parents.get(at)) chain.push(at)
    return chain
  }

  const isSubscribed = (sessionId: string): boolean => ancestry(sessionId).some((id) => subscribed.has(id))

  const adopt: EventRouter['adopt'] = ({ id, parentID }) => {
    if (parentID !== undefined && !parents.has(id) && isSubscribed(parentID)) parents.set(id, parentID)
  }

  const deliver = (entry: RouterEntry, message: SubscriptionMessage): void => {
    try {
      entry.listener(message)
    } catch (error) {
      logger.error({ err: error, session_id: entry.root }, 'listener of OpenCode events failed')
    }
  }

  return {
    adopt,
    entries: () => [...subscribed.values()].flatMap((entries) => [...entries]),
    resync: (entry, reason) => {
      if (subscribed.get(entry.root)?.has(entry)) deliver(entry, { kind: 'resync', reason })
    },
    tree: (root) => [root, ...[...parents.keys()].filter((id) => ancestry(id).includes(root))],
    add: (entry) => {
      const entries = subscribed.get(entry.root) ?? new Set()
      subscribed.set(entry.root, entries.add(entry))
      return {
        remove: () => {
          entries.delete(entry)
          if (entries.size > 0 || subscribed.get(entry.root) !== entries) return
          subscribed.delete(entry.root)
          const orphans = [...parents.keys()].filter((id) => !isSubscribed(id))
          for (const id of orphans) parents.delete(id)
        },
      }
    },
    route: (event) => {
      if (event.type === 'session.created' || event.type === 'session.updated') adopt(event.properties.info)
      const sessionId = sessionOf(event)
      if (sessionId === undefined) return
      for (const id of ancestry(sessionId)) {
        for (const entry of subscribed.get(id) ?? []) deliver(entry, { kind: 'event', sessionId, event })
      }
    },
  }
}

/** Returns the id of the session that an event is about, if it is about one. */
export const sessionOf = (event: OpenCodeEvent): string | undefined => {
  const { properties } = event
  return 'sessionID' in properties && typeof properties.sessionID === 'string' ? properties.sessionID : undefined
}
