// Starts a project: checks access, clones it, creates its base checkout and warms its server.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError, SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import { addKeyPage, projectName, type RepositoryIdentity } from '@switchyard/git'
import { claimBaseDirectory, type ProjectPatch, type ProjectRow, updateProject } from '@switchyard/records'
import { tryDoor } from './check-repository-access.ts'
import { inspect } from './checkout.ts'
import { alone, type ProjectDeps, readRegistered } from './deps.ts'
import { refreshAvailableModels } from './refresh-available-models.ts'

/** How long warming may take, ms; a busy server warms the directory at its first use. */
const WARM_MS = 15_000

const NOT_PORTABLE =
  'This repository has no remote: its sessions are kept under its path on this machine and do not follow it elsewhere.'

/** Decides where the base checkout of a managed project lies, the first time it starts. */
const withBaseDirectory = async (
  { records, layout }: ProjectDeps,
  row: ProjectRow,
  identity: RepositoryIdentity,
): Promise<ProjectRow> => {
  if (!row.is_managed || row.base_dir !== null) return row
  const directories = layout.baseDirectories(projectName(identity), identity)
  const claimed = await claimBaseDirectory(records.db, row.id, directories)
  if (!claimed) throw new SwitchyardError('project_not_ready', `no directory is free for ${row.url}`)
  return claimed
}

/** Returns the base checkout: the user's own, or a managed one on the remote's default branch. */
const makeBase = async (
  deps: ProjectDeps,
  row: ProjectRow,
  identity: RepositoryIdentity,
  signal: AbortSignal,
): Promise<void> => {
  if (row.base_dir === null) throw new SwitchyardError('project_not_ready', `${row.url} has no directory`)
  if (!row.is_managed) return await requireCheckout(row.base_dir)
  await mkdir(path.dirname(row.base_dir), { recursive: true })
  const branch = await deps.repositories.defaultBranch(identity)
  await deps.repositories.addWorktree(identity, { directory: row.base_dir, branch, reuse: true, signal })
}

/** Checks a user's checkout again, which may have been removed since it was registered. */
const requireCheckout = async (directory: string): Promise<void> => {
  if ((await inspect(directory)).is_checkout) return
  throw new SwitchyardError('invalid_project', `the checkout ${directory} is no longer there`)
}

/** A local checkout may have a detached HEAD, which has no branch name. */
const defaultBranchOf = async (deps: ProjectDeps, identity: RepositoryIdentity): Promise<string | null> => {
  try {
    return await deps.repositories.defaultBranch(identity)
  } catch (error) {
    if (isSwitchyardError(error)) return null
    throw error
  }
}

/** Warms the directory on its server, so that its first use is faster. A failure here is harmless. */
const warm = async ({ servers, logger }: ProjectDeps, row: ProjectRow, signal: AbortSignal): Promise<void> => {
  const directory = row.base_dir ?? ''
  if (row.isolation === 'shared' && servers.shared?.state().status !== 'up') return
  const limit = AbortSignal.any([signal, AbortSignal.timeout(WARM_MS)])
  await servers
    .with(row, (server) => servers.directories.warm(server, directory, limit), limit)
    .catch((error: Error) => {
      logger.info({ directory, err: error.message }, 'failed to warm the directory of a project')
    })
}

/** Stores the models and agents available in the project. A failure here is harmless. */
const noteAvailableModels = async (deps: ProjectDeps, projectId: string, signal: AbortSignal): Promise<void> => {
  const { row } = await readRegistered(deps, projectId)
  if (row.status !== 'ready') return
  await refreshAvailableModels(deps, row, signal).catch((error: Error) => {
    deps.logger.info({ project_id: projectId, err: error.message }, 'failed to read the available models of a project')
  })
}

/** Returns the row's values after a start. @throws SwitchyardError why the start failed */
const bringUp = async (
  deps: ProjectDeps,
  row: ProjectRow,
  identity: RepositoryIdentity,
  signal: AbortSignal,
): Promise<ProjectPatch> => {
  const door = identity.kind === 'path' ? ({ isOpen: true } as const) : await tryDoor(deps, row, identity, signal)
  if (!door.isOpen)
    return {
      status: 'waiting_for_key',
      detail: `its host does not accept our key yet. ${addKeyPage(identity).instructions}`,
      public_key: door.key.publicKey,
    }
  // Readers see the current step, not the earlier failure.
  if (row.status === 'waiting_for_key' || row.status === 'failed')
    await updateProject(deps.records.db, row.id, { status: 'starting', detail: null, public_key: null })
  await deps.repositories.fetch(identity, { signal })
  await makeBase(deps, row, identity, signal)
  await warm(deps, row, signal)
  return {
    status: 'ready',
    detail: null,
    default_branch: await defaultBranchOf(deps, identity),
    warnings: identity.kind === 'path' ? [NOT_PORTABLE] : [],
  }
}

/** Starts a project. Safe to repeat and to call concurrently. Its row holds the result. */
export const startProject = async (deps: ProjectDeps, projectId: string, signal: AbortSignal): Promise<void> =>
  await alone(deps, projectId, async () => {
    const { row, identity } = await readRegistered(deps, projectId)
    const set = (patch: ProjectPatch) => updateProject(deps.records.db, projectId, patch)
    try {
      await set(await bringUp(deps, await withBaseDirectory(deps, row, identity), identity, signal))
      await noteAvailableModels(deps, projectId, signal)
    } catch (error) {
      // A worker that stops leaves the start to the next one.
      if (!signal.aborted) await set({ status: 'failed', detail: toSwitchyardError(error).message })
      throw error
    }
  })
