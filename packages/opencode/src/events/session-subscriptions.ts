// Subscriptions to sessions: events of the session tree, and a `resync` after every gap in the event stream.

import { SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import type { OpenCodeClient } from '../client/client.ts'
import { createEventRouter, type ResyncReason, type RouterEntry, type SubscriptionListener } from './event-router.ts'
import type { OpenCodeEvent } from './event-stream.ts'
import type { StreamConfirmation } from './stream-confirmation.ts'

export type SessionSubscription = {
  readonly sessionId: string
  readonly directory: string
  /** Returns the known sessions of the tree: the root first, then its descendants. */
  readonly sessions: () => readonly string[]
  /**
   * Resolves after the first `resync`: from then on, no event is missed without another `resync`. Send prompts after it.
   *
   * @throws SwitchyardError `opencode_unavailable` when the subscription is closed first
   */
  readonly established: Promise<void>
  readonly close: () => void
}

type SubscribeOptions = {
  /** The session was just created and has no children to look for. */
  readonly isNew?: boolean
}

export type SessionSubscriptions = {
  readonly subscribe: (
    rootSessionId: string,
    directory: string,
    listener: SubscriptionListener,
    options?: SubscribeOptions,
  ) => SessionSubscription
  readonly route: (event: OpenCodeEvent) => void
  /** Sends a `resync` to all subscriptions, or to those of one directory. */
  readonly resyncAll: (reason: ResyncReason, directory?: string) => void
}

/** How many session trees are listed at once after a reconnect: more could stall a server that has just restarted. */
const CONCURRENCY = 4

export const createSessionSubscriptions = (options: {
  readonly client: Pick<OpenCodeClient, 'children'>
  readonly confirmation: Pick<StreamConfirmation, 'confirm'>
  readonly isStreaming: () => boolean
  readonly signal: AbortSignal
  readonly logger: Logger
}): SessionSubscriptions => {
  const { client, confirmation, isStreaming, signal, logger } = options
  const router = createEventRouter(logger)

  /** Finds children created during the gap, then asks the subscriber to fetch the state. */
  const resync = async (entry: RouterEntry, reason: ResyncReason, isNew = false): Promise<void> => {
    // After a lost connection the next one sends a resync of its own.
    if (!(await confirmation.confirm(entry.directory))) return
    if (!isNew) await adoptChildren(entry)
    router.resync(entry, reason)
  }

  const adoptChildren = async (entry: RouterEntry): Promise<void> => {
    try {
      const found = await client.children({ sessionId: entry.root, directory: entry.directory }, { signal })
      for (const session of found) router.adopt(session)
    } catch (error) {
      // The subscriber lists the tree itself and handles the same error.
      if (signal.aborted) return
      logger.warn(
        { session_id: entry.root, error: toSwitchyardError(error).message },
        'failed to list child sessions; continuing without them',
      )
    }
  }

  return {
    route: router.route,

    resyncAll: (reason, directory) => {
      const waiting = router.entries().filter((entry) => directory === undefined || entry.directory === directory)
      const work = async (): Promise<void> => {
        for (let entry = waiting.shift(); entry; entry = waiting.shift()) await resync(entry, reason)
      }
      void Promise.all(Array.from({ length: CONCURRENCY }, work))
    },

    subscribe: (rootSessionId, directory, listener, { isNew = false } = {}) => {
      const first = Promise.withResolvers<void>()
      // The caller may never await it.
      first.promise.catch(() => undefined)
      const entry: RouterEntry = {
        root: rootSessionId,
        directory,
        listener: (message) => {
          if (message.kind === 'resync') first.resolve()
          listener(message)
        },
      }
      const { remove } = router.add(entry)
      if (isStreaming()) void resync(entry, 'connected', isNew)
      return {
        sessionId: rootSessionId,
        directory,
        sessions: () => router.tree(rootSessionId),
        established: first.promise,
        close: () => {
          remove()
          first.reject(new SwitchyardError('opencode_unavailable', 'the subscription was closed'))
        },
      }
    },
  }
}
