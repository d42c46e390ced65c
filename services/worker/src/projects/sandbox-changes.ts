// Lists sandboxes, puts them back to their base, deletes them.

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
import { exists, refresh, secure } from './work.ts'

/** Each is a few git processes. */
const LOOKS_AT_ONCE = 4

export const findRow = async (deps: ProjectDeps, projectId: string, name: string): Promise<SandboxRow> => {
  const row = await findSandbox(deps.records.db, projectId, name)
  if (row) return row
  throw new SwitchyardError('sandbox_not_found', `there is no sandbox ${name}`)
}

/** The oldest first, each with how it stands to its base as of the last fetch. */
export const listOf = async (deps: ProjectDeps, projectId: string): Promise<CallResult<'sandbox.list'>> => {
  const { row: project, identity } = await readRegistered(deps, projectId)
  const rows = await listSandboxes(deps.records.db, [projectId])
  const tasks = await countOpenTasks(deps.records.db, [projectId])
  const read = rows.length > 0 ? await deps.repositories.work.states(identity) : undefined
  const stateOf = async (row: SandboxRow): Promise<WorkState | null> => {
    const base = row.base_branch ?? project.default_branch
    const state = await read?.(row.path, base ?? undefined).catch((error: Error) => {
      deps.logger.info({ sandbox: row.path, err: error.message }, 'a sandbox could not be read')
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
      // One that cannot be read is shown all the same.
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

/** @throws SwitchyardError `work_would_be_lost` for one that no import made: it is nothing that could be taken back */
const isUntouchedImport = async (deps: ProjectDeps, { identity }: Registered, row: SandboxRow): Promise<boolean> => {
  if (!(await exists(row.path))) return false
  const isAsImported = await deps.repositories.work.isAsImported(identity, row.path)
  if (isAsImported !== null) return isAsImported
  throw new SwitchyardError('work_would_be_lost', `sandbox ${row.name} has no import in it, and is somebody’s own`, {
    hint: 'Leave as_imported out, if it is to go.',
  })
}

/**
 * Safe to repeat: one that is gone already is only forgotten. `as_imported` takes an import back: one in which nothing was
 * changed since goes as if it were pushed, and its branch with it; one into which nothing was imported stays.
 *
 * @throws SwitchyardError `sandbox_not_found`, `project_busy`, `work_would_be_lost`, `path_outside_workspace` for what is no worktree made here
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
    // Whoever imported it has all of it still.
    const isImport = asImported === true && (await isUntouchedImport(deps, project, row))
    const look = async () => (isImport ? null : await secure(deps, identity, row.path, `sandbox ${name}`, force))
    const bundle = await closeSandboxes(deps, projectId, [row], look, name)
    await takeAway(deps, project, row)
    // Made for it, and what was on it is pushed or in the bundle; one that was asked for may be another's work.
    if (isImport || row.branch === defaultBranch(name)) await deps.repositories.deleteBranch(identity, row.branch)
    await deleteSandboxRow(deps.records.db, projectId, name)
    return { bundle }
  })

/**
 * Makes its files anew: at its branch on the remote where there is one, else at the newest of its base. Its sessions stay.
 *
 * @throws SwitchyardError as `deleteSandbox` and `createSandbox`
 */
export const resetSandbox = async (
  deps: ProjectDeps,
  { project_id: projectId, name, force }: CallArgs<'sandbox.reset'>,
  signal: AbortSignal,
): Promise<CallResult<'sandbox.reset'>> =>
  await alone(deps, projectId, async () => {
    const project = await readReady(deps, projectId)
    const { identity } = project
    const row = await findRow(deps, projectId, name)
    await deps.repositories.fetch(identity, { signal })
    const look = () => secure(deps, identity, row.path, `sandbox ${name}`, force)
    const bundle = await closeSandboxes(deps, projectId, [row], look, name)
    await deps.servers
      .runningFor(project.row)
      ?.client.disposeDirectory(row.path)
      .catch(() => {})
    await deps.repositories.removeWorktree(identity, row.path, deps.layout.sandboxes(identity))
    await deps.repositories.deleteBranch(identity, row.branch)
    return { sandbox: await populate(deps, project, row, true, signal), bundle }
  })
