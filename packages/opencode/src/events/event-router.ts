// Brings each event of the one stream to those who watch its session, or the session at the root of its tree.

import type { Session } from '@opencode-ai/sdk/v2'
import type { Logger } from 'pino'
import type { OpenCodeEvent } from './event-stream.ts'

/**
 * Why the state has to be fetched again. `connected`: the stream began, or came back after a break · `watchdog`: it had
 * gone silent · `server_restarted`: so had the server, and no turn of before runs any more
 */
export type ResyncReason = 'connected' | 'watchdog' | 'server_restarted'

export type SubscriptionMessage =
  | { readonly kind: 'event'; readonly sessionId: string; readonly event: OpenCodeEvent }
  | { readonly kind: 'resync'; readonly reason: ResyncReason }

/** Called at once and in order, never kept for later: whoever is slow keeps a queue of their own, with a limit. */
export type SubscriptionListener = (message: SubscriptionMessage) => void

export type SessionSubscription = {
  readonly sessionId: string
  readonly directory: string
  /** The sessions of the tree that are known so far: the root first, then its descendants. */
  readonly sessions: () => readonly string[]
  /**
   * Resolves when the first `resync` was told: from then on no event is missed without another one. Prompt after it.
   *
   * @throws SwitchyardError `opencode_unavailable` when the subscription is closed before.
   */
  readonly established: Promise<void>
  readonly close: () => void
}

type Entry = { readonly root: string; readonly directory: string; readonly listener: SubscriptionListener }

export type Router = {
  readonly add: (entry: Entry) => { readonly remove: () => void }
  readonly entries: () => readonly Entry[]
  readonly route: (event: OpenCodeEvent) => void
  /** Notes a session found another way than by its own event. */
  readonly adopt: (session: Pick<Session, 'id' | 'parentID'>) => void
  readonly resync: (entry: Entry, reason: ResyncReason) => void
  readonly tree: (root: string) => readonly string[]
}

/** No state but the tree of the sessions that are watched, which is forgotten when the last subscription to it ends. */
export const createRouter = (logger: Logger): Router => {
  const watched = new Map<string, Set<Entry>>()
  /** child → parent, only below watched sessions. */
  const parents = new Map<string, string>()

  const ancestry = (sessionId: string): readonly string[] => {
    const chain = [sessionId]
    for (let at = parents.get(sessionId); at !== undefined && !chain.includes(at); at = parents.get(at)) chain.push(at)
    return chain
  }

  const isWatched = (sessionId: string): boolean => ancestry(sessionId).some((id) => watched.has(id))

  const adopt: Router['adopt'] = ({ id, parentID }) => {
    if (parentID !== undefined && !parents.has(id) && isWatched(parentID)) parents.set(id, parentID)
  }

  const tell = (entry: Entry, message: SubscriptionMessage): void => {
    try {
      entry.listener(message)
    } catch (error) {
      logger.error({ err: error, session_id: entry.root }, 'a listener of OpenCode events failed')
    }
  }

  return {
    adopt,
    entries: () => [...watched.values()].flatMap((entries) => [...entries]),
    resync: (entry, reason) => {
      if (watched.get(entry.root)?.has(entry)) tell(entry, { kind: 'resync', reason })
    },
    tree: (root) => [root, ...[...parents.keys()].filter((id) => ancestry(id).includes(root))],
    add: (entry) => {
      const entries = watched.get(entry.root) ?? new Set()
      watched.set(entry.root, entries.add(entry))
      return {
        remove: () => {
          entries.delete(entry)
          if (entries.size > 0 || watched.get(entry.root) !== entries) return
          watched.delete(entry.root)
          const orphans = [...parents.keys()].filter((id) => !isWatched(id))
          for (const id of orphans) parents.delete(id)
        },
      }
    },
    route: (event) => {
      if (event.type === 'session.created' || event.type === 'session.updated') adopt(event.properties.info)
      const sessionId = sessionOf(event)
      if (sessionId === undefined) return
      for (const id of ancestry(sessionId)) {
        for (const entry of watched.get(id) ?? []) tell(entry, { kind: 'event', sessionId, event })
      }
    },
  }
}

/** All events about a session name it in the same place. */
export const sessionOf = (event: OpenCodeEvent): string | undefined => {
  const { properties } = event
  return 'sessionID' in properties && typeof properties.sessionID === 'string' ? properties.sessionID : undefined
}
