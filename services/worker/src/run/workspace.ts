// Makes the directory that a task works in: a worktree of its project's shared clone, or a scratch repository.

import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { createScratch, parseRepositoryUrl, type Repositories } from '@switchyard/git'
import { findProject, findSandbox, type Records, type TaskRow } from '@switchyard/records'

export type Workspace = { readonly directory: string; readonly branch: string; readonly baseCommit: string }

/** All that the container of a task sees, in Docker mode: its working directory, OpenCode's data, the prompts. */
export const containerRoot = (workspacesDir: string, taskId: string): string =>
  path.join(workspacesDir, 'docker', taskId)

export const workspaceDirectory = (workspacesDir: string, row: TaskRow): string =>
  row.mode === 'docker'
    ? path.join(containerRoot(workspacesDir, row.id), 'work')
    : path.join(workspacesDir, 'tasks', row.id)

const branchOf = (row: TaskRow): string => row.branch ?? `switchyard/${row.id}`

type Deps = { readonly records: Records; readonly repositories: Repositories; readonly workspacesDir: string }

/** The identity of the task's project. @throws SwitchyardError `invalid_project` */
export const identityOf = async (records: Records, projectId: string) => {
  const project = await findProject(records.db, projectId)
  if (!project) throw new SwitchyardError('invalid_project', `project ${projectId} is not known`)
  return parseRepositoryUrl(project.url)
}

/**
 * The directory that an earlier owner made and recorded: used as it is, without a look at the remote.
 *
 * @throws SwitchyardError `workspace_gone`: to begin again in a new one would lose in silence what was done.
 */
const madeBefore = async (row: TaskRow): Promise<Workspace | null> => {
  const { directory, branch, base_commit: baseCommit } = row
  if (directory === null || branch === null || baseCommit === null) return null
  const found = await stat(directory).catch(() => undefined)
  if (found?.isDirectory()) return { directory, branch, baseCommit }
  throw new SwitchyardError('workspace_gone', `the working directory ${directory} was removed while the task ran`)
}

/** A sandbox is worked in as it is; what the task changes is told against the commit that it finds there. */
const sandboxOf = async (deps: Deps, row: TaskRow): Promise<Workspace> => {
  const { project_id: projectId, sandbox: name } = row
  const sandbox = projectId && name ? await findSandbox(deps.records.db, projectId, name) : undefined
  if (!sandbox?.is_ready) throw new SwitchyardError('sandbox_not_found', `sandbox ${name} is gone`)
  const { head, branch } = await deps.repositories.checkedOut(
    await identityOf(deps.records, sandbox.project_id),
    sandbox.path,
  )
  if (head === null) throw new SwitchyardError('repository_empty', `sandbox ${name} has no commit`)
  return { directory: sandbox.path, branch: branch ?? sandbox.branch, baseCommit: head }
}

/**
 * Safe to repeat after a crash: the same task gets the same directory, finished or made anew.
 *
 * @throws SwitchyardError of the `repository_*`, `branch_*` and disk codes.
 */
export const makeWorkspace = async (deps: Deps, row: TaskRow, signal: AbortSignal): Promise<Workspace> => {
  const made = await madeBefore(row)
  if (made) return made
  if (row.sandbox !== null) return await sandboxOf(deps, row)
  const directory = workspaceDirectory(deps.workspacesDir, row)
  await mkdir(path.dirname(directory), { recursive: true })
  if (row.project_id === null) return await createScratch(directory, { signal })
  const identity = await identityOf(deps.records, row.project_id)
  await deps.repositories.fetch(identity, { signal })
  const request = {
    directory,
    branch: branchOf(row),
    // A branch that the caller named may exist: the work goes on where it ends.
    reuse: row.branch !== null,
    ...(row.base_commit ? { base: row.base_commit } : row.base_branch ? { base: row.base_branch } : {}),
    signal,
  }
  // A container sees its own task's directory and nothing else: a linked worktree would need the clone it belongs to.
  return row.mode === 'docker'
    ? await deps.repositories.makeClone(identity, request)
    : await deps.repositories.addWorktree(identity, request)
}

/** Where the commits of a task are, the most trusted place first. */
export const objectDirectories = async (
  deps: Pick<Deps, 'records' | 'repositories'>,
  row: TaskRow,
): Promise<readonly string[]> => {
  const own = row.directory === null ? [] : [path.join(row.directory, '.git', 'objects')]
  if (row.project_id === null) return own
  const shared = deps.repositories.objectDirectory(await identityOf(deps.records, row.project_id))
  return row.mode === 'docker' ? [shared, ...own] : [shared]
}
