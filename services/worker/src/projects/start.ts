// Starts a project: clones it, makes its base checkout, warms its server.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { RepositoryIdentity } from '@switchyard/git'
import { type ProjectRow, updateProject } from '@switchyard/records'
import { alone, type ProjectDeps, readRegistered } from './deps.ts'

/** A server that is busy warms it when it is first used, ms. */
const WARM_MS = 15_000

const NOT_PORTABLE =
  'This repository has no remote: its sessions are kept under its path on this machine and do not follow it elsewhere.'

/** The checkout that people work in. @returns the branch that it is on. */
const makeBase = async (
  deps: ProjectDeps,
  row: ProjectRow,
  identity: RepositoryIdentity,
  signal: AbortSignal,
): Promise<string> => {
  if (row.base_dir === null) throw new SwitchyardError('project_not_ready', `${row.url} has no directory`)
  await mkdir(path.dirname(row.base_dir), { recursive: true })
  const branch = await deps.repositories.defaultBranch(identity)
  const made = await deps.repositories.addWorktree(identity, { directory: row.base_dir, branch, reuse: true, signal })
  return made.branch
}

/** A first use that finds the directory known to the server answers sooner. That it is not is no failure. */
const warm = async ({ server, logger }: ProjectDeps, directory: string, signal: AbortSignal): Promise<void> => {
  if (server?.state().status !== 'up') return
  const limit = AbortSignal.any([signal, AbortSignal.timeout(WARM_MS)])
  await server.client.catalog(directory, { signal: limit }).catch((error: Error) => {
    logger.info({ directory, err: error.message }, 'a project was not warmed')
  })
}

/** Safe to repeat, and to call twice at once: what is there stays. Its row has what came of it. */
export const startProject = async (deps: ProjectDeps, projectId: string, signal: AbortSignal): Promise<void> =>
  await alone(deps, projectId, async () => {
    const { row, identity } = await readRegistered(deps, projectId)
    const set = (patch: Parameters<typeof updateProject>[2]) => updateProject(deps.records.db, projectId, patch)
    try {
      await deps.repositories.fetch(identity, { signal })
      const branch = await makeBase(deps, row, identity, signal)
      await warm(deps, row.base_dir ?? '', signal)
      const warnings = identity.kind === 'path' ? [NOT_PORTABLE] : []
      await set({ status: 'ready', detail: null, default_branch: branch, warnings })
    } catch (error) {
      // A worker that stops leaves the start to the next one.
      if (!signal.aborted) await set({ status: 'failed', detail: toSwitchyardError(error).message })
      throw error
    }
  })
