// Closes sandboxes before they are removed: no task starts in them, so what is checked is what is removed.

import { SwitchyardError } from '@switchyard/contracts'
import { countOpenTasks, markSandboxReady, markSandboxUnready, type SandboxRow } from '@switchyard/records'
import type { ProjectDeps } from './deps.ts'

/** Returns the sandboxes that were open. */
const openAgain = async ({ records }: ProjectDeps, rows: readonly SandboxRow[]): Promise<void> => {
  for (const { project_id: id, name, is_ready: wasReady, base_commit: commit } of rows)
    if (wasReady && commit !== null) await markSandboxReady(records.db, id, name, commit)
}

/** A task may have been accepted since the last check and may already work there. */
const requireNoTasks = async ({ records }: ProjectDeps, projectId: string, sandbox: string | undefined) => {
  const tasks = (await countOpenTasks(records.db, [projectId])).filter(
    (entry) => sandbox === undefined || entry.sandbox === sandbox,
  )
  const count = tasks.reduce((sum, entry) => sum + Number(entry.count), 0)
  if (count === 0) return
  const where = sandbox === undefined ? 'the project' : `sandbox ${sandbox}`
  throw new SwitchyardError('project_busy', `${count} ${count === 1 ? 'task has' : 'tasks have'} not ended in ${where}`)
}

/**
 * Closes sandboxes of a project and checks with `saveBeforeRemoval` that they can be removed. On failure they reopen; otherwise they stay
 * closed. Call it only under the project's lock.
 *
 * @param sandbox - only its tasks count; default: all tasks of the project
 * @throws SwitchyardError `project_busy`, and what `saveBeforeRemoval` throws
 */
export const closeSandboxes = async <T>(
  deps: ProjectDeps,
  projectId: string,
  rows: readonly SandboxRow[],
  saveBeforeRemoval: () => Promise<T>,
  sandbox?: string,
): Promise<T> => {
  try {
    for (const { name } of rows) await markSandboxUnready(deps.records.db, projectId, name)
    await requireNoTasks(deps, projectId, sandbox)
    return await saveBeforeRemoval()
  } catch (error) {
    await openAgain(deps, rows)
    throw error
  }
}
