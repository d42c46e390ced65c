import type { Session } from '@opencode-ai/sdk/v2'
import { isSwitchyardError } from '@switchyard/contracts'
import type { OpenCodeClient } from '@switchyard/opencode'

/** Subagents of subagents are rare, and deeper ones rarer. */
const MAX_DEPTH = 10

/** Returns the root above a session; the last existing one, when a parent was deleted before its child. */
export const rootOf = async (client: OpenCodeClient, session: Session, signal: AbortSignal): Promise<Session> => {
  let at = session
  for (let depth = 0; depth < MAX_DEPTH && at.parentID !== undefined; depth += 1) {
    const place = { sessionId: at.parentID, directory: at.directory }
    const parent = await client.session(place, { signal }).catch((error: unknown) => {
      if (isSwitchyardError(error, 'session_lost')) return undefined
      throw error
    })
    if (!parent) break
    at = parent
  }
  return at
}
