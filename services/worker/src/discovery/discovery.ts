// At the start: what there is, brought into the record by one worker at a time. Afterwards: what projects offer, looked at now and then.

import { isSwitchyardError } from '@switchyard/contracts'
import { listProjects } from '@switchyard/records'
import type { ProjectDeps } from '../projects/deps.ts'
import { adoptProjects } from './adopt.ts'
import { noteDirectories } from './found.ts'
import { reportGone } from './gone.ts'
import { refreshOffer } from './offers.ts'

export type Discovery = { readonly stop: () => Promise<void> }

const EVERY_MS = 10 * 60_000

/** One project after another: servers stall where many directories come at once. */
const refreshOffers = async (deps: ProjectDeps, signal: AbortSignal): Promise<void> => {
  for (const project of await listProjects(deps.records.db)) {
    if (signal.aborted) return
    if (project.status !== 'ready') continue
    await refreshOffer(deps, project, signal).catch((error: unknown) => {
      if (!isSwitchyardError(error)) throw error
      deps.logger.debug({ project_id: project.id, err: error.message }, 'a project was not looked at')
    })
  }
}

const discover = async (deps: ProjectDeps, signal: AbortSignal): Promise<void> => {
  const { records, servers } = deps
  // Without a server there is still the managed directory.
  await servers.shared?.ready({ signal }).catch(() => {})
  if (signal.aborted) return
  await records.withFreeLock('discovery', async () => {
    await reportGone(deps)
    await adoptProjects(deps, signal)
    await noteDirectories(deps, signal)
    await refreshOffers(deps, signal)
  })
}

/** Begins at once, and nothing waits for it. */
export const startDiscovery = (deps: ProjectDeps): Discovery => {
  const stopping = new AbortController()
  let running: Promise<void> | null = null
  const begin = (): void => {
    running ??= discover(deps, stopping.signal)
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) deps.logger.warn({ err: error }, 'what there is was not looked through')
      })
      .finally(() => {
        running = null
      })
  }
  const timer = setInterval(begin, EVERY_MS)
  begin()
  return {
    stop: async () => {
      clearInterval(timer)
      stopping.abort()
      await running
    },
  }
}
