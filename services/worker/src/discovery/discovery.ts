// At the start: what there is, brought into the record by one worker at a time. Afterwards: the available models of projects, looked at now and then.

import { isSwitchyardError } from '@switchyard/contracts'
import { type Repeating, repeat } from '@switchyard/process'
import { listProjects } from '@switchyard/records'
import type { ProjectDeps } from '../projects/deps.ts'
import { refreshAvailableModels } from '../projects/refresh-available-models.ts'
import { adoptProjects } from './adopt.ts'
import { noteDirectories } from './found.ts'
import { reportGone } from './gone.ts'

const EVERY_MS = 10 * 60_000

/** One project after another: servers stall where many directories come at once. */
const refreshOffers = async (deps: ProjectDeps, signal: AbortSignal): Promise<void> => {
  for (const project of await listProjects(deps.records.db)) {
    if (signal.aborted) return
    if (project.status !== 'ready') continue
    await refreshAvailableModels(deps, project, signal).catch((error: unknown) => {
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

/** Starts the first round immediately and does not wait for it. */
export const startDiscovery = (deps: ProjectDeps): Pick<Repeating, 'stop'> => {
  const work = (signal: AbortSignal) => discover(deps, signal)
  const loop = repeat({ name: 'project discovery', everyMs: EVERY_MS, work, logger: deps.logger })
  loop.runNow()
  return loop
}
