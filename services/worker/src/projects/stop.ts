// Stops a project: ends the turns in its directories and releases them on its server. Sessions and files stay.

import { isSwitchyardError } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import { listSandboxes, type ProjectRow, requestOfServer, updateProject } from '@switchyard/records'
import { alone, type ProjectDeps, readRegistered } from './deps.ts'

type StopDeps = Pick<ProjectDeps, 'records' | 'servers'>

/** A server that is not running holds nothing. */
const unlessAway = (error: unknown): undefined => {
  if (isSwitchyardError(error, 'opencode_unavailable')) return undefined
  throw error
}

/** The turns in its directories are on its server, whichever worker keeps that. */
const endTurns = async (
  server: OpenCodeServer | undefined,
  { base_dir: base }: ProjectRow,
  sandboxes: readonly { readonly path: string }[],
): Promise<void> => {
  for (const directory of [...(base === null ? [] : [base]), ...sandboxes.map(({ path }) => path)])
    await server?.client.disposeDirectory(directory).catch(unlessAway)
}

/** Safe to repeat. */
export const stopProject = async (deps: StopDeps, projectId: string, signal: AbortSignal): Promise<void> =>
  await alone(deps, projectId, async () => {
    const { row } = await readRegistered(deps, projectId)
    const { db } = deps.records
    const server = await deps.servers.find(row, signal).catch(unlessAway)
    await endTurns(server, row, await listSandboxes(db, [projectId]))
    // Its dedicated server is not needed once its turns have ended.
    if (row.isolation === 'dedicated') await requestOfServer(db, projectId, 'stop')
    // A project that was never ready keeps its status.
    if (row.status === 'ready') await updateProject(db, projectId, { status: 'stopped', detail: null })
  })
