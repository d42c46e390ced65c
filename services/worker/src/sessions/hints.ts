// Publishes a hint on the bus when something happens in a session, from the server's one event stream.

import type { OpenCodeServer } from '@switchyard/opencode'
import type { Bus } from '@switchyard/queue'

/** A working session sends dozens of events a second; its readers are woken at most this often, ms. */
const EVERY_MS = 250
/** Subagents' sessions with a remembered parent; readers of a forgotten one's parent poll by themselves. */
const MAX_PARENTS = 5_000

export const startSessionHints = (server: OpenCodeServer, bus: Bus): { readonly stop: () => void } => {
  const parents = new Map<string, string>()
  /** Sessions with a recent hint, and whether another one is due. */
  const resting = new Map<string, { readonly timer: NodeJS.Timeout; isDue: boolean }>()

  const tell = (sessionId: string): void => {
    const rest = resting.get(sessionId)
    if (rest) {
      rest.isDue = true
      return
    }
    bus.publishHint(`session:${sessionId}`)
    const timer = setTimeout(() => {
      const isDue = resting.get(sessionId)?.isDue === true
      resting.delete(sessionId)
      if (isDue) tell(sessionId)
    }, EVERY_MS)
    resting.set(sessionId, { timer: timer.unref(), isDue: false })
  }

  const adopt = (id: string, parentId: string | undefined): void => {
    if (parentId === undefined || parents.has(id)) return
    const [oldest] = parents.keys()
    if (parents.size >= MAX_PARENTS && oldest !== undefined) parents.delete(oldest)
    parents.set(id, parentId)
  }

  const off = server.onSessionEvent((sessionId, event) => {
    if (event.type === 'message.part.delta') return
    if (event.type === 'session.created' || event.type === 'session.updated')
      adopt(event.properties.info.id, event.properties.info.parentID)
    for (let at: string | undefined = sessionId, depth = 0; at !== undefined && depth < 10; depth += 1) {
      tell(at)
      at = parents.get(at)
    }
  })
  return {
    stop: () => {
      off()
      for (const { timer } of resting.values()) clearTimeout(timer)
      resting.clear()
    },
  }
}
