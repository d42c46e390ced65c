// What works on a server that ran before it was heard, found without setting directories up: each costs it 4 to 13 MB.

import type { OpenCodeCallOptions } from '../client/call.ts'
import type { OpenCodeClient } from '../client/client.ts'

/** Sessions that have not changed for so long are not looked at, ms: each costs a request. */
export const LOOK_BACK_MS = 24 * 3_600_000
/** What changed so long before a gap in the events is looked at too, ms: clocks differ. */
export const GAP_SLACK_MS = 60_000

/** Enough to be quick, too few to stall a server. */
const AT_ONCE = 4

/**
 * The directories of sessions whose last message is an answer that is not complete: where a turn may run, or was cut short.
 *
 * @param since - ms since 1970: sessions that did not change since then are not looked at.
 */
export const directoriesOfOpenTurns = async (
  client: Pick<OpenCodeClient, 'everySession' | 'newestMessage'>,
  since: number,
  given: OpenCodeCallOptions,
): Promise<readonly string[]> => {
  const directories = new Set<string>()
  const sessions = [...(await client.everySession({ roots: false, since }, given))]
  const look = async (): Promise<void> => {
    for (let session = sessions.shift(); session; session = sessions.shift()) {
      if (directories.has(session.directory)) continue
      const info = (await client.newestMessage(session.id, given))?.info
      // A prompt that was just taken has no answer yet.
      if (info && (info.role === 'user' || info.time.completed === undefined)) directories.add(session.directory)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, look))
  return [...directories]
}
