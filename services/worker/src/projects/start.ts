// Starts a project: looks whether its host lets us in, clones it, makes its base checkout, warms its server.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError, SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import { addKeyPage, projectName, type RepositoryIdentity } from '@switchyard/git'
import { claimBaseDirectory, type ProjectPatch, type ProjectRow, updateProject } from '@switchyard/records'
import { inspect } from './checkout.ts'
import { alone, type ProjectDeps, readRegistered } from './deps.ts'
import { tryDoor } from './door.ts'
import { refreshAvailableModels } from './refresh-available-models.ts'

/** A server that is busy warms it when it is first used, ms. */
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

/** The checkout that people work in: theirs, or one that we make on the remote's default branch. */
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

/** It was looked at when it was registered; since then it may have gone. */
const requireCheckout = async (directory: string): Promise<void> => {
  if ((await inspect(directory)).is_checkout) return
  throw new SwitchyardError('invalid_project', `the checkout ${directory} is no longer there`)
}

/** A detached HEAD, as a local checkout may have, is no branch to name. */
const defaultBranchOf = async (deps: ProjectDeps, identity: RepositoryIdentity): Promise<string | null> => {
  try {
    return await deps.repositories.defaultBranch(identity)
  } catch (error) {
    if (isSwitchyardError(error)) return null
    throw error
  }
}

/** A first use that finds the directory known to the server answers sooner. That it is not is no failure. */
const warm = async ({ servers, logger }: ProjectDeps, row: ProjectRow, signal: AbortSignal): Promise<void> => {
  const directory = row.base_dir ?? ''
  if (row.isolation === 'shared' && servers.shared?.state().status !== 'up') return
  const limit = AbortSignal.any([signal, AbortSignal.timeout(WARM_MS)])
  await servers
    .with(row, (server) => servers.directories.warm(server, directory, limit), limit)
    .catch((error: Error) => {
      logger.info({ directory, err: error.message }, 'a project was not warmed')
    })
}

/** What can be used there is told with the project from now on. That nobody could say is no failure. */
const noteAvailableModels = async (deps: ProjectDeps, projectId: string, signal: AbortSignal): Promise<void> => {
  const { row } = await readRegistered(deps, projectId)
  if (row.status !== 'ready') return
  await refreshAvailableModels(deps, row, signal).catch((error: Error) => {
    deps.logger.info({ project_id: projectId, err: error.message }, 'failed to read the available models of a project')
  })
}

/** What its row has to say once it was started. @throws SwitchyardError why it could not be */
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
  // Whoever looks meanwhile is told what is done now, and not why it was not ready before.
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

/** Safe to repeat, and to call twice at once: what is there stays. Its row has what came of it. */
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
