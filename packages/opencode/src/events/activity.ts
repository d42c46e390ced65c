// Which sessions work at this moment, on the whole server: learned from the one event stream, so nobody polls a directory.

import type { SessionStatus } from '@opencode-ai/sdk/v2'
import type { OpenCodeEvent } from './event-stream.ts'

export type BusySession = {
  readonly sessionId: string
  /** Where it works; undefined where the server did not say. */
  readonly directory: string | undefined
  /** `retry`: the model provider refused, and is asked again. */
  readonly status: 'busy' | 'retry'
}

export type Activity = {
  readonly hear: (event: OpenCodeEvent, directory: string | undefined) => void
  readonly busy: () => readonly BusySession[]
  /** Root sessions by directory; undefined until they were counted once. */
  readonly sessions: () => ReadonlyMap<string, number> | undefined
  /** Counts them anew: they may have come and gone in a gap of the stream. */
  readonly count: (sessions: readonly { readonly id: string; readonly directory: string }[]) => void
  /** The server began anew: what ran in it runs no more. */
  readonly clear: () => void
  /**
   * Asks directories what works there, those where something is kept as busy among them: a turn may have begun or ended while nobody
   * listened.
   *
   * @param statuses - of one directory: its sessions by id.
   * @param further - directories where something may work.
   */
  readonly confirm: (
    statuses: (directory: string) => Promise<Readonly<Record<string, SessionStatus>>>,
    further?: readonly string[],
  ) => Promise<void>
}

export const createActivity = (): Activity => {
  const sessions = new Map<string, BusySession>()
  /** Directories of the root sessions, by id: one that is told of twice is one. */
  let roots: Map<string, string> | undefined
  /** For each look that is under way the sessions that ended meanwhile: what it is told of them is older. */
  const ended = new Set<Set<string>>()
  const end = (id: string): void => {
    sessions.delete(id)
    for (const ids of ended) ids.add(id)
  }
  return {
    sessions: () => {
      if (!roots) return undefined
      const counts = new Map<string, number>()
      for (const directory of roots.values()) counts.set(directory, (counts.get(directory) ?? 0) + 1)
      return counts
    },
    count: (found) => {
      roots = new Map(found.map(({ id, directory }) => [id, directory]))
    },
    busy: () => [...sessions.values()],
    clear: () => sessions.clear(),
    hear: (event, directory) => {
      if (event.type === 'session.status') {
        const { sessionID: sessionId, status } = event.properties
        if (status.type === 'idle') end(sessionId)
        else sessions.set(sessionId, { sessionId, directory, status: status.type })
      } else if (event.type === 'message.part.delta') {
        // Its turn began before we listened. Text is streamed by nobody who is idle; other events may come after the end.
        const { sessionID: sessionId } = event.properties
        if (!sessions.has(sessionId)) sessions.set(sessionId, { sessionId, directory, status: 'busy' })
      } else if (event.type === 'session.idle' || event.type === 'session.error') {
        if (event.properties.sessionID !== undefined) end(event.properties.sessionID)
      } else if (event.type === 'session.created') {
        const { id, directory: place, parentID } = event.properties.info
        if (parentID === undefined) roots?.set(id, place)
      } else if (event.type === 'session.deleted') {
        end(event.properties.info.id)
        roots?.delete(event.properties.info.id)
      } else if (event.type === 'server.instance.disposed')
        for (const { sessionId, directory: place } of sessions.values()) if (place === directory) end(sessionId)
    },
    confirm: async (statuses, further = []) => {
      const known = [...sessions.values()].flatMap(({ directory }) => directory ?? [])
      const meanwhile = new Set<string>()
      ended.add(meanwhile)
      try {
        for (const directory of new Set([...known, ...further])) {
          const before = [...sessions.values()].filter((session) => session.directory === directory)
          meanwhile.clear()
          const told = await statuses(directory)
          for (const session of before)
            if (!(session.sessionId in told) && sessions.get(session.sessionId) === session)
              sessions.delete(session.sessionId)
          for (const [sessionId, { type: status }] of Object.entries(told))
            if (status !== 'idle' && !sessions.has(sessionId) && !meanwhile.has(sessionId))
              sessions.set(sessionId, { sessionId, directory, status })
        }
      } finally {
        ended.delete(meanwhile)
      }
    },
  }
}
