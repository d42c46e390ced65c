// Calls that move a session to another server: OpenCode stores a session as a list of numbered events, which another server
// can replay.

import type { SyncHistoryListResponse } from '@opencode-ai/sdk/v2'
import type { Call, OpenCodeCallOptions } from './call.ts'
import type { Sdk } from './sdk-client.ts'

export type SessionHistory = SyncHistoryListResponse

/** Skips a session, because no event has a higher number. */
const EVERYTHING = Number.MAX_SAFE_INTEGER
/** The SDK leaves out a body without an entry, and the server requires one. No session has this id. */
const NO_SESSION = 'none'

export const syncCalls = (call: Call, sdk: Sdk) => ({
  /**
   * Returns the events of these sessions in order.
   *
   * @param all - every session of the server: the history of one that is not named would be returned too
   */
  history: async (
    directory: string,
    { sessions, all }: { readonly sessions: readonly string[]; readonly all: readonly string[] },
    options: OpenCodeCallOptions = {},
  ): Promise<SessionHistory> => {
    const wanted = new Set(sessions)
    const skipped = [NO_SESSION, ...all.filter((id) => !wanted.has(id))]
    const known = Object.fromEntries(skipped.map((id) => [id, EVERYTHING]))
    const events = await call('read the history of the session', 'always', options, (signal) =>
      sdk().sync.history.list({ directory, body: known }, { signal }),
    )
    return events.filter((event) => wanted.has(event.aggregate_id))
  },

  /** Adds events to a session, or creates it with them. They must continue those that the server has. */
  replay: (directory: string, events: SessionHistory, options: OpenCodeCallOptions = {}): Promise<unknown> =>
    call('store the history of the session', 'unsent', options, (signal) =>
      sdk().sync.replay(
        {
          query_directory: directory,
          body_directory: directory,
          events: events.map(({ aggregate_id: aggregateID, ...event }) => ({ ...event, aggregateID })),
        },
        { signal },
      ),
    ),
})
