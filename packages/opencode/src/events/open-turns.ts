// Finds directories where turns may be running, without making OpenCode load them: that costs 4 to 13 MB each.

import type { OpenCodeCallOptions } from '../client/call.ts'
import type { OpenCodeClient } from '../client/client.ts'

/** Enough to be fast, too few to stall a server. */
const CONCURRENCY = 4

/**
 * Returns the directories of sessions whose last message is incomplete: a turn may be running there, or was interrupted.
 *
 * @param since - ms since 1970; sessions that have not changed since then are skipped
 */
export const directoriesOfOpenTurns = async (
  client: Pick<OpenCodeClient, 'everySession' | 'newestMessage'>,
  since: number,
  options: OpenCodeCallOptions,
): Promise<readonly string[]> => {
  const directories = new Set<string>()
  const sessions = [...(await client.everySession({ roots: false, since }, options))]
  const work = async (): Promise<void> => {
    for (let session = sessions.shift(); session; session = sessions.shift()) {
      if (directories.has(session.directory)) continue
      const info = (await client.newestMessage(session.id, options))?.info
      // A prompt that was just accepted has no answer yet.
      if (info && (info.role === 'user' || info.time.completed === undefined)) directories.add(session.directory)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  return [...directories]
}
