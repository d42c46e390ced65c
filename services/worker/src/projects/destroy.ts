// Destroys a project: removes everything created for it, and bundles work that exists nowhere else first. Never touches a
// user's own checkout.

import { rmdir } from 'node:fs/promises'
import type { CallArgs, CallResult } from '@switchyard/contracts'
import type { RepositoryIdentity } from '@switchyard/git'
import { deleteSandboxRow, forgetProject, listSandboxes, type SandboxRow } from '@switchyard/records'
import { closeSandboxes } from './closing.ts'
import { alone, type ProjectDeps, readRegistered } from './deps.ts'
import { defaultBranch } from './sandboxes.ts'
import { deleteSessions } from './sessions.ts'
import { refresh, saveBeforeRemoval, saveCloneBeforeRemoval } from './work.ts'

/** @returns the bundles of what would be lost with these directories and with the clone */
const saveAllBeforeRemoval = async (
  deps: ProjectDeps,
  identity: RepositoryIdentity,
  places: readonly { readonly directory: string; readonly what: string }[],
  force: boolean,
): Promise<readonly string[]> => {
  const bundles: string[] = []
  const unbundled: string[] = []
  for (const { directory, what } of places) {
    const bundle = await saveBeforeRemoval(deps, identity, directory, what, force)
    if (bundle === null) unbundled.push(directory)
    else bundles.push(bundle)
  }
  const ofClone = await saveCloneBeforeRemoval(deps, identity, { goes: unbundled, force })
  return ofClone === null ? bundles : [...bundles, ofClone]
}

/** Returns branches created for its directories; a requested branch may hold other work. */
const branchesMadeFor = async (
  { repositories }: ProjectDeps,
  identity: RepositoryIdentity,
  base: string | null,
  sandboxes: readonly SandboxRow[],
): Promise<readonly string[]> => {
  const ofBase = base === null ? undefined : await repositories.branchOf(identity, base)
  const ofSandboxes = sandboxes.filter(({ name, branch }) => branch === defaultBranch(name)).map(({ branch }) => branch)
  return [...(ofBase === undefined ? [] : [ofBase]), ...ofSandboxes]
}

/** A project that is started again begins at the remote's branches, not where these ended. */
const deleteBranches = async (
  { repositories, logger }: ProjectDeps,
  identity: RepositoryIdentity,
  branches: readonly string[],
): Promise<void> => {
  for (const branch of branches)
    await repositories.deleteBranch(identity, branch).catch((error: Error) => {
      logger.warn({ project: identity.key, branch, err: error.message }, 'failed to delete a branch')
    })
}

/**
 * Checks everything before it deletes anything. Safe to repeat: skips what is already removed.
 *
 * @throws SwitchyardError `project_not_found`, `project_busy`, `work_would_be_lost`, `control_not_possible`, `disk_full`, `directory_unwritable`
 */
export const destroyProject = async (
  deps: ProjectDeps,
  { project_id: projectId, force }: CallArgs<'project.destroy'>,
  signal: AbortSignal,
): Promise<CallResult<'project.destroy'>> =>
  await alone(deps, projectId, async () => {
    const { records, repositories, layout } = deps
    const { row, identity } = await readRegistered(deps, projectId)
    const sandboxes = await listSandboxes(records.db, [projectId])
    const base = row.is_managed ? row.base_dir : null
    await refresh(deps, identity, signal)
    const places = [
      ...(base === null ? [] : [{ directory: base, what: 'the project’s directory' }]),
      ...sandboxes.map(({ path, name }) => ({ directory: path, what: `sandbox ${name}` })),
    ]
    const bundles = await closeSandboxes(deps, projectId, sandboxes, () =>
      saveAllBeforeRemoval(deps, identity, places, force),
    )
    const ourBranches = await branchesMadeFor(deps, identity, base, sandboxes)
    // A dedicated server is removed with its data once nothing works on it.
    const isDedicated = row.isolation === 'dedicated'
    const leaveDirectory = async (directory: string): Promise<void> => {
      if (!isDedicated) await deleteSessions(deps, row, directory)
    }
    await deps.servers.remove(projectId)
    for (const sandbox of sandboxes) {
      await leaveDirectory(sandbox.path)
      await repositories.removeWorktree(identity, sandbox.path, deps.layout.sandboxes(identity))
      await deleteSandboxRow(records.db, projectId, sandbox.name)
    }
    // Files that Switchyard did not create stay, and so does the folder.
    await rmdir(deps.layout.sandboxes(identity)).catch(() => undefined)
    if (base !== null) {
      await leaveDirectory(base)
      await repositories.removeWorktree(identity, base, layout.workspaces)
    }
    // Directories of ended tasks are worktrees too; the clone stays until their retention ends.
    if (!(await repositories.removeClones(identity))) await deleteBranches(deps, identity, ourBranches)
    await deps.keys.remove(identity)
    await forgetProject(records.db, projectId)
    return { bundles: [...bundles] }
  })
