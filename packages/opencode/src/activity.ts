// Which sessions work at this moment, on the whole server: learned from the one event stream, so nobody polls a directory.

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
   * Asks again what is kept as busy: the end of a turn may have fallen into a gap of the stream. What works and was never heard of
   * is learned from its next event.
   *
   * @param statuses - of one directory: its busy sessions by id.
   */
  readonly confirm: (statuses: (directory: string) => Promise<Readonly<Record<string, unknown>>>) => Promise<void>
}

export const createActivity = (): Activity => {
  const sessions = new Map<string, BusySession>()
  /** Directories of the root sessions, by id: one that is told of twice is one. */
  let roots: Map<string, string> | undefined
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
        if (status.type === 'idle') sessions.delete(sessionId)
        else sessions.set(sessionId, { sessionId, directory, status: status.type })
      } else if (event.type === 'message.part.delta') {
        // Its turn began before we listened. Text is streamed by nobody who is idle; other events may come after the end.
        const { sessionID: sessionId } = event.properties
        if (!sessions.has(sessionId)) sessions.set(sessionId, { sessionId, directory, status: 'busy' })
      } else if (event.type === 'session.idle' || event.type === 'session.error') {
        if (event.properties.sessionID !== undefined) sessions.delete(event.properties.sessionID)
      } else if (event.type === 'session.created') {
        const { id, directory: place, parentID } = event.properties.info
        if (parentID === undefined) roots?.set(id, place)
      } else if (event.type === 'session.deleted') {
        sessions.delete(event.properties.info.id)
        roots?.delete(event.properties.info.id)
      } else if (event.type === 'server.instance.disposed')
        for (const { sessionId, directory: place } of sessions.values())
          if (place === directory) sessions.delete(sessionId)
    },
    confirm: async (statuses) => {
      const directories = new Set([...sessions.values()].flatMap(({ directory }) => directory ?? []))
      for (const directory of directories) {
        const before = [...sessions.values()].filter((session) => session.directory === directory)
        const working = await statuses(directory)
        for (const session of before)
          if (!(session.sessionId in working) && sessions.get(session.sessionId) === session)
            sessions.delete(session.sessionId)
      }
    },
  }
}
