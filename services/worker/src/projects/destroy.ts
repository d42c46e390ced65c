// Destroys a project: everything that we made for it goes, what nobody else has is bundled first. A checkout that is
// somebody's own is never touched.

import { rmdir } from 'node:fs/promises'
import type { CallArgs, CallResult } from '@switchyard/contracts'
import { deleteSandboxRow, forgetProject, listSandboxes } from '@switchyard/records'
import { alone, type ProjectDeps, readRegistered, sandboxRoot } from './deps.ts'
import { deleteSessions } from './sessions.ts'
import { refresh, secure } from './work.ts'

/**
 * Looks at everything before it deletes anything. Safe to repeat: what is gone already is passed over.
 *
 * @throws SwitchyardError `project_not_found`, `work_would_be_lost`, `control_not_possible`, `disk_full`, `directory_unwritable`
 */
export const destroyProject = async (
  deps: ProjectDeps,
  { project_id: projectId, force }: CallArgs<'project.destroy'>,
  signal: AbortSignal,
): Promise<CallResult<'project.destroy'>> =>
  await alone(deps, projectId, async () => {
    const { records, repositories, workspacesDir } = deps
    const { row, identity } = await readRegistered(deps, projectId)
    const sandboxes = await listSandboxes(records.db, [projectId])
    const base = row.is_managed ? row.base_dir : null
    await refresh(deps, identity, signal)
    const places = [
      ...(base === null ? [] : [{ directory: base, what: 'the project’s directory' }]),
      ...sandboxes.map(({ path, name }) => ({ directory: path, what: `sandbox ${name}` })),
    ]
    const bundles: string[] = []
    for (const { directory, what } of places) {
      const bundle = await secure(deps, identity, directory, what, force)
      if (bundle !== null) bundles.push(bundle)
    }
    // Of a server of its own everything goes, once nothing works on it.
    const isDedicated = row.isolation === 'dedicated'
    const leaveDirectory = async (directory: string): Promise<void> => {
      if (!isDedicated) await deleteSessions(deps, row, directory)
    }
    await deps.servers.remove(projectId)
    for (const sandbox of sandboxes) {
      await leaveDirectory(sandbox.path)
      await repositories.removeWorktree(identity, sandbox.path, sandboxRoot(deps, identity))
      await deleteSandboxRow(records.db, projectId, sandbox.name)
    }
    // Something else in it, which nobody here made, stays, and so does the folder.
    await rmdir(sandboxRoot(deps, identity)).catch(() => undefined)
    if (base !== null) {
      await leaveDirectory(base)
      await repositories.removeWorktree(identity, base, workspacesDir)
    }
    // The directories of tasks that have ended are worktrees too; the clone stays until their time is over.
    await repositories.forget(identity)
    await deps.keys.forget(identity)
    await forgetProject(records.db, projectId)
    return { bundles }
  })
