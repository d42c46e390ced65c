// Lists, resets and deletes sandboxes.

import type { CallArgs, CallResult, SandboxEntry, WorkState } from '@switchyard/contracts'
import { SwitchyardError } from '@switchyard/contracts'
import {
  countOpenTasks,
  deleteSandboxRow,
  findSandbox,
  listSandboxes,
  type SandboxRow,
  toSandbox,
} from '@switchyard/records'
import { closeSandboxes } from './closing.ts'
import { alone, type ProjectDeps, type Registered, readReady, readRegistered } from './deps.ts'
import { defaultBranch, populate } from './sandboxes.ts'
import { deleteSessions } from './sessions.ts'
import { exists, refresh, saveBeforeRemoval } from './work.ts'

/** Sandboxes read at once; each takes a few git processes. */
const LOOKS_AT_ONCE = 4

export const findRow = async (deps: ProjectDeps, projectId: string, name: string): Promise<SandboxRow> => {
  const row = await findSandbox(deps.records.db, projectId, name)
  if (row) return row
  throw new SwitchyardError('sandbox_not_found', `there is no sandbox ${name}`)
}

/** Lists sandboxes, oldest first, each compared with its base as of the last fetch. */
export const listOf = async (deps: ProjectDeps, projectId: string): Promise<CallResult<'sandbox.list'>> => {
  const { row: project, identity } = await readRegistered(deps, projectId)
  const rows = await listSandboxes(deps.records.db, [projectId])
  const tasks = await countOpenTasks(deps.records.db, [projectId])
  const read = rows.length > 0 ? await deps.repositories.work.states(identity) : undefined
  const stateOf = async (row: SandboxRow): Promise<WorkState | null> => {
    const base = row.base_branch ?? project.default_branch
    const state = await read?.(row.path, base ?? undefined).catch((error: Error) => {
      deps.logger.info({ sandbox: row.path, err: error.message }, 'failed to read a sandbox')
    })
    if (!state) return null
    const { diskBytes, ...told } = state
    return { ...told, disk_bytes: diskBytes }
  }
  const look = async (row: SandboxRow): Promise<SandboxEntry> => {
    const isThere = await exists(row.path)
    return {
      ...toSandbox(row),
      exists: isThere,
      // An unreadable sandbox is listed too.
      state: isThere ? await stateOf(row) : null,
      tasks: tasks.find((entry) => entry.sandbox === row.name)?.count ?? 0,
    }
  }
  const sandboxes: SandboxEntry[] = []
  for (let at = 0; at < rows.length; at += LOOKS_AT_ONCE)
    sandboxes.push(...(await Promise.all(rows.slice(at, at + LOOKS_AT_ONCE).map(look))))
  return { sandboxes }
}

const takeAway = async (deps: ProjectDeps, { row: project, identity }: Registered, row: SandboxRow): Promise<void> => {
  await deleteSessions(deps, project, row.path)
  await deps.repositories.removeWorktree(identity, row.path, deps.layout.sandboxes(identity))
}

/** @throws SwitchyardError `work_would_be_lost` for a sandbox without an import, which cannot be reverted */
const isUntouchedImport = async (deps: ProjectDeps, { identity }: Registered, row: SandboxRow): Promise<boolean> => {
  if (!(await exists(row.path))) return false
  const isAsImported = await deps.repositories.work.isAsImported(identity, row.path)
  if (isAsImported !== null) return isAsImported
  throw new SwitchyardError('work_would_be_lost', `sandbox ${row.name} has no import in it, and is somebody’s own`, {
    hint: 'Leave as_imported out, if it is to go.',
  })
}

/**
 * Safe to repeat: a missing worktree is only removed from the record. `as_imported` reverts an import: an unchanged import is
 * removed as if it were pushed, with its branch; a sandbox without an import stays.
 *
 * @throws SwitchyardError `sandbox_not_found`, `project_busy`, `work_would_be_lost`, `path_outside_workspace` for a directory that is not a worktree of Switchyard
 */
export const deleteSandbox = async (
  deps: ProjectDeps,
  { project_id: projectId, name, force, as_imported: asImported }: CallArgs<'sandbox.delete'>,
  signal: AbortSignal,
): Promise<CallResult<'sandbox.delete'>> =>
  await alone(deps, projectId, async () => {
    const project = await readRegistered(deps, projectId)
    const { identity } = project
    const row = await findRow(deps, projectId, name)
    await refresh(deps, identity, signal)
    // The caller that imported it still has all of it.
    const isImport = asImported === true && (await isUntouchedImport(deps, project, row))
    const look = async () =>
      isImport ? null : await saveBeforeRemoval(deps, identity, row.path, `sandbox ${name}`, force)
    const bundle = await closeSandboxes(deps, projectId, [row], look, name)
    await takeAway(deps, project, row)
    // The branch was created for it, and its work is pushed or bundled; a requested branch may hold other work.
    if (isImport || row.branch === defaultBranch(name)) await deps.repositories.deleteBranch(identity, row.branch)
    await deleteSandboxRow(deps.records.db, projectId, name)
    return { bundle }
  })

/**
 * Resets its files to its branch on the remote, or to the newest of its base if there is none. Its sessions stay.
 *
 * @throws SwitchyardError as `deleteSandbox` and `createSandbox`
 */
export const resetSandbox = async (
  deps: ProjectDeps,
  { project_id: projectId, name, force, server }: CallArgs<'sandbox.reset'>,
  signal: AbortSignal,
): Promise<CallResult<'sandbox.reset'>> =>
  await alone(deps, projectId, async () => {
    const project = await readReady(deps, projectId)
    const { identity } = project
    const row = await findRow(deps, projectId, name)
    await deps.repositories.fetch(identity, { signal })
    const look = () => saveBeforeRemoval(deps, identity, row.path, `sandbox ${name}`, force)
    const bundle = await closeSandboxes(deps, projectId, [row], look, name)
    await deps.servers
      .runningFor(project.row)
      ?.client.disposeDirectory(row.path)
      .catch(() => {})
    await deps.repositories.removeWorktree(identity, row.path, deps.layout.sandboxes(identity))
    await deps.repositories.deleteBranch(identity, row.branch)
    return { sandbox: await populate(deps, project, row, { reuse: true, server }, signal), bundle }
  })
