// Which sessions are working on a server now, and how many sessions each directory has, kept up to date by its events.

import type { SessionStatus } from '@opencode-ai/sdk/v2'
import type { OpenCodeEvent } from './event-stream.ts'

type BusySession = {
  readonly sessionId: string
  /** Undefined when the server did not report it. */
  readonly directory: string | undefined
  /** `retry`: the model provider refused the request, which is being retried. */
  readonly status: 'busy' | 'retry'
}

export type Activity = {
  readonly apply: (event: OpenCodeEvent, directory: string | undefined) => void
  readonly busy: () => readonly BusySession[]
  /** Returns the number of root sessions by directory, or undefined until `setSessions` was called. */
  readonly sessionCounts: () => ReadonlyMap<string, number> | undefined
  /** Replaces the root sessions: some may have been created or deleted in a gap of the stream. */
  readonly setSessions: (sessions: readonly { readonly id: string; readonly directory: string }[]) => void
  /** Forgets all busy sessions, because the server restarted. */
  readonly clear: () => void
  /**
   * Reads the statuses of directories again, because turns may have started or ended in a gap of the stream.
   *
   * @param statuses - returns the sessions of one directory by id
   * @param further - directories to read besides those with busy sessions
   */
  readonly refresh: (
    statuses: (directory: string) => Promise<Readonly<Record<string, SessionStatus>>>,
    further?: readonly string[],
  ) => Promise<void>
}

export const createActivity = (): Activity => {
  const busy = new Map<string, BusySession>()
  /** The directory of each root session, by id. */
  let roots: Map<string, string> | undefined
  /** For each running refresh, the sessions that ended since it read their status: what it read is older. */
  const endedMeanwhile = new Set<Set<string>>()
  const end = (id: string): void => {
    busy.delete(id)
    for (const ids of endedMeanwhile) ids.add(id)
  }
  return {
    sessionCounts: () => {
      if (!roots) return undefined
      const counts = new Map<string, number>()
      for (const directory of roots.values()) counts.set(directory, (counts.get(directory) ?? 0) + 1)
      return counts
    },
    setSessions: (found) => {
      roots = new Map(found.map(({ id, directory }) => [id, directory]))
    },
    busy: () => [...busy.values()],
    clear: () => busy.clear(),
    apply: (event, directory) => {
      if (event.type === 'session.status') {
        const { sessionID: sessionId, status } = event.properties
        if (status.type === 'idle') end(sessionId)
        else busy.set(sessionId, { sessionId, directory, status: status.type })
      } else if (event.type === 'message.part.delta') {
        // The turn started before the stream connected. Only a busy session streams text; other events may follow the end.
        const { sessionID: sessionId } = event.properties
        if (!busy.has(sessionId)) busy.set(sessionId, { sessionId, directory, status: 'busy' })
      } else if (event.type === 'session.idle' || event.type === 'session.error') {
        if (event.properties.sessionID !== undefined) end(event.properties.sessionID)
      } else if (event.type === 'session.created') {
        const { id, directory: sessionDirectory, parentID } = event.properties.info
        if (parentID === undefined) roots?.set(id, sessionDirectory)
      } else if (event.type === 'session.deleted') {
        end(event.properties.info.id)
        roots?.delete(event.properties.info.id)
      } else if (event.type === 'server.instance.disposed') {
        for (const session of busy.values()) if (session.directory === directory) end(session.sessionId)
      }
    },
    refresh: async (statuses, further = []) => {
      const known = [...busy.values()].flatMap(({ directory }) => directory ?? [])
      const ended = new Set<string>()
      endedMeanwhile.add(ended)
      try {
        for (const directory of new Set([...known, ...further])) {
          const before = [...busy.values()].filter((session) => session.directory === directory)
          ended.clear()
          const reported = await statuses(directory)
          for (const session of before)
            if (!(session.sessionId in reported) && busy.get(session.sessionId) === session)
              busy.delete(session.sessionId)
          for (const [sessionId, { type: status }] of Object.entries(reported))
            if (status !== 'idle' && !busy.has(sessionId) && !ended.has(sessionId))
              busy.set(sessionId, { sessionId, directory, status })
        }
      } finally {
        endedMeanwhile.delete(ended)
      }
    },
  }
}
