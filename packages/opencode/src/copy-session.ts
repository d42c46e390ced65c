// Copies a session with its subagents to another server, with all its messages.

import type { OpenCodeCallOptions } from './client/call.ts'
import type { OpenCodeClient } from './client/client.ts'
import type { SessionRef } from './client/session-types.ts'

type CopyClient = Pick<OpenCodeClient, 'children' | 'everySession' | 'history' | 'replay'>

/**
 * Copies what the other server does not have of a session. The session must be idle. Safe to repeat, in both directions.
 *
 * @throws SwitchyardError those of the calls
 */
export const copySession = async (
  { from, to }: { readonly from: CopyClient; readonly to: CopyClient },
  ref: SessionRef,
  options: OpenCodeCallOptions = {},
): Promise<void> => {
  const sessions = [ref.sessionId, ...(await from.children(ref, options)).map(({ id }) => id)]
  const [events, stored] = await Promise.all(
    [from, to].map(async (client) => {
      const all = (await client.everySession({ roots: false }, options)).map(({ id }) => id)
      return await client.history(ref.directory, { sessions, all }, options)
    }),
  )
  for (const session of sessions) {
    const last = Math.max(-1, ...(stored ?? []).filter((event) => event.aggregate_id === session).map(({ seq }) => seq))
    const missing = (events ?? []).filter((event) => event.aggregate_id === session && event.seq > last)
    if (missing.length > 0) await to.replay(ref.directory, missing, options)
  }
}
