// What lives on a server at this moment, by the directories that projects own: from the event stream, without asking any directory.

import type { AvailableModels, LiveDirectory } from '@switchyard/contracts'
import type { Catalog, OpenCodeServer } from '@switchyard/opencode'

/** Directories that work and are nobody's are told too, so that a task's own directory is among them. */
const MAX_DIRECTORIES = 5_000

/** @param owned - the directories of projects; those without sessions are left out. */
export const liveOn = (server: OpenCodeServer, owned: readonly string[]): readonly LiveDirectory[] => {
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

/** Where something worked, as it was last told. */
export const busyIn = (live: readonly LiveDirectory[]): readonly string[] =>
  live.flatMap(({ directory, busy }) => (busy > 0 ? [directory] : []))

export const toAvailableModels = (catalog: Catalog): AvailableModels => ({
  providers: catalog.providers.map(({ id, name, models }) => ({
    id,
    name,
    models: models.map((model) => ({ ...model, variants: [...model.variants] })),
  })),
  agents: catalog.agents.map(({ name, mode, description }) => ({ name, mode, description })),
  default_model: catalog.defaultModel,
})
