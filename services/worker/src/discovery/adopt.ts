// Registers projects again after the database was lost, from the worker's own notes and never from what a repository says of itself.
// They have no owner: operators see them and can share them.

import path from 'node:path'
import { toSwitchyardError } from '@switchyard/contracts'
import { type MirroredRepository, projectIdOf, projectName, type WorktreeRecord } from '@switchyard/git'
import { claimSandbox, findProject, markSandboxReady, registerProject, updateProject } from '@switchyard/records'
import { alone, type ProjectDeps } from '../projects/deps.ts'
import { exists } from '../projects/work.ts'

const FOUND = 'found where it was, without a registration in the database; operators alone see it until one shares it'

/** An owner that no key can have. */
const NOBODY = ''

const isIn = (directory: string) => (worktree: WorktreeRecord) =>
  worktree.isReady && path.dirname(worktree.directory) === path.resolve(directory)

const adoptSandboxes = async (
  deps: ProjectDeps,
  projectId: string,
  { identity, worktrees }: MirroredRepository,
): Promise<void> => {
  const { db } = deps.records
  for (const { directory, branch, baseCommit } of worktrees.filter(isIn(deps.layout.sandboxes(identity)))) {
    if (!(await exists(directory))) continue
    const name = path.basename(directory)
    await claimSandbox(db, {
      project_id: projectId,
      name,
      path: directory,
      branch,
      base_branch: null,
      start_command: null,
      owner_key: NOBODY,
    })
    await markSandboxReady(db, projectId, name, baseCommit)
  }
}

/** Fetches nothing: mirror, clone and directory exist. */
const adopt = async (deps: ProjectDeps, kept: MirroredRepository, base: WorktreeRecord): Promise<void> => {
  const { records, repositories, logger } = deps
  const { identity } = kept
  const id = projectIdOf(identity.key)
  const { created } = await registerProject(records.db, {
    id,
    key: identity.key,
    url: identity.displayUrl,
    owner_key: null,
    name: projectName(identity),
    base_dir: base.directory,
    is_managed: true,
    pool: 'blue',
  })
  if (!created) return
  try {
    await repositories.addWorktree(identity, { directory: base.directory, branch: base.branch, reuse: true })
    await adoptSandboxes(deps, id, kept)
    const default_branch = await repositories.defaultBranch(identity)
    await updateProject(records.db, id, { status: 'ready', detail: FOUND, default_branch })
    logger.info({ project_id: id, directory: base.directory }, 'project registered again from its directory')
  } catch (error) {
    await updateProject(records.db, id, { status: 'failed', detail: toSwitchyardError(error).message })
    throw error
  }
}

export const adoptProjects = async (deps: ProjectDeps, signal: AbortSignal): Promise<void> => {
  const { records, repositories, layout, logger } = deps
  for (const kept of await repositories.mirrored()) {
    if (signal.aborted) return
    const base = kept.worktrees.find(isIn(layout.workspaces))
    const id = projectIdOf(kept.identity.key)
    if (!base || !(await exists(base.directory)) || (await findProject(records.db, id))?.registered_at) continue
    await alone(deps, id, () => adopt(deps, kept, base)).catch((error: Error) => {
      logger.warn({ directory: base.directory, err: error.message }, 'a project that was found was not registered')
    })
  }
}
