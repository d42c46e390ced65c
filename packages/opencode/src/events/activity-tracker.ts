// Keeps the activity of a server right across gaps in the event stream: reads what may have started or ended in between.

import type { Logger } from 'pino'
import type { OpenCodeClient } from '../client/client.ts'
import { type Activity, createActivity } from './activity.ts'
import type { OpenCodeEvent } from './event-stream.ts'
import { directoriesOfOpenTurns } from './open-turns.ts'

/** Sessions that have not changed for this long are skipped, ms: reading one costs a request. */
const MAX_AGE_MS = 24 * 3_600_000
/** How much earlier than the gap a session may have changed and still be read, ms: clocks differ. */
const CLOCK_SKEW_MS = 60_000

export type ActivityTracker = Pick<Activity, 'busy' | 'sessionCounts'> & {
  /** @param connection - `isNewServer`: it restarted; `mayHaveOldTurns`: turns from before may still run */
  readonly connected: (connection: { readonly isNewServer: boolean; readonly mayHaveOldTurns: boolean }) => void
  readonly apply: (event: OpenCodeEvent, directory: string | undefined) => void
  /** Resolves when everything that happened in the last gap has been read. */
  readonly caughtUp: () => Promise<void>
  /** Reads the statuses of these directories, now or when the stream connects. */
  readonly check: (directories: readonly string[]) => void
}

export const createActivityTracker = (options: {
  readonly client: Pick<OpenCodeClient, 'everySession' | 'newestMessage' | 'statuses'>
  readonly isStreaming: () => boolean
  readonly signal: AbortSignal
  readonly logger: Logger
}): ActivityTracker => {
  const { client, isStreaming, signal, logger } = options
  const activity = createActivity()
  /** When the last event arrived, ms since 1970. */
  let lastEventAt: number | undefined
  let catchingUp: Promise<void> = Promise.resolve()
  let unchecked: readonly string[] = []

  /** @param since - the start of the gap, ms since 1970; undefined when no turn can be running */
  const catchUp = async (since: number | undefined): Promise<void> => {
    try {
      if (since !== undefined) {
        const further = unchecked
        unchecked = []
        const open = await directoriesOfOpenTurns(client, Math.max(since, Date.now() - MAX_AGE_MS), { signal })
        await activity.refresh((directory) => client.statuses(directory, { signal }), [...further, ...open])
      }
      activity.setSessions(await client.everySession({ roots: true }, { signal }))
    } catch (error) {
      logger.debug({ err: error }, 'failed to read the activity of the server; the next connection will retry')
    }
  }

  return {
    busy: activity.busy,
    sessionCounts: activity.sessionCounts,
    connected: ({ isNewServer, mayHaveOldTurns }) => {
      if (isNewServer) activity.clear()
      catchingUp = catchUp(isNewServer && !mayHaveOldTurns ? undefined : (lastEventAt ?? 0) - CLOCK_SKEW_MS)
      lastEventAt = Date.now()
    },
    apply: (event, directory) => {
      lastEventAt = Date.now()
      activity.apply(event, directory)
    },
    caughtUp: () => catchingUp,
    check: (directories) => {
      unchecked = directories
      if (directories.length > 0 && isStreaming())
        catchingUp = catchingUp.then(() => catchUp(Date.now() - CLOCK_SKEW_MS))
    },
  }
}
