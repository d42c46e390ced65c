// What runs on an OpenCode server at this moment, by directory. It comes from the event stream; no
// directory is queried.

import type { LiveDirectory } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'

/**
 * Busy directories are reported even if no project owns them, so this bounds the size of a report.
 */
const MAX_DIRECTORIES = 5_000

/** @param owned - the directories of projects; those without sessions are left out. */
export const liveDirectories = (server: OpenCodeServer, owned: readonly string[]): readonly LiveDirectory[] => {
  const counts = server.sessionCounts()
  const busy = new Map<string, number>()
  for (const { directory } of server.busy())
    if (directory !== undefined) busy.set(directory, (busy.get(directory) ?? 0) + 1)
  return [...new Set([...busy.keys(), ...owned])].slice(0, MAX_DIRECTORIES).flatMap((directory) => {
    const sessions = counts === undefined ? null : (counts.get(directory) ?? 0)
    const working = busy.get(directory) ?? 0
    return sessions === 0 && working === 0 ? [] : [{ directory, sessions, busy: working }]
  })
}

/** Returns the directories in which sessions were busy, according to the last report. */
export const busyDirectories = (live: readonly LiveDirectory[]): readonly string[] =>
  live.flatMap(({ directory, busy }) => (busy > 0 ? [directory] : []))
