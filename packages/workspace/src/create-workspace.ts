// Creates the directory that a task works in: a clone of its own, or a scratch repository without a project. A task in a
// sandbox works in that.

import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { createScratch, type Repositories } from '@switchyard/git'
import { findSandbox, type Records, type TaskRow } from '@switchyard/records'
import type { Layout } from './layout.ts'
import { projectIdentity } from './object-directories.ts'

export type Workspace = { readonly directory: string; readonly branch: string; readonly baseCommit: string }

export type WorkspaceDeps = {
  readonly records: Records
  readonly repositories: Repositories
  readonly layout: Layout
}

const branchOf = (row: TaskRow): string => row.branch ?? `switchyard/${row.id}`

/**
 * Returns the directory that an earlier owner of the task created and recorded, without contacting the remote.
 *
 * @throws SwitchyardError `workspace_gone` where it was removed: starting again in a new one would lose its work silently
 */
const recordedWorkspace = async (row: TaskRow): Promise<Workspace | null> => {
  const { directory, branch, base_commit: baseCommit } = row
  if (directory === null || branch === null || baseCommit === null) return null
  const found = await stat(directory).catch(() => undefined)
  if (found?.isDirectory()) return { directory, branch, baseCommit }
  throw new SwitchyardError('workspace_gone', `the working directory ${directory} was removed while the task ran`)
}

/** A task's changes in a sandbox are counted from the commit that is checked out when the task starts. */
const sandboxWorkspace = async (deps: WorkspaceDeps, row: TaskRow): Promise<Workspace> => {
  const { project_id: projectId, sandbox: name } = row
  const sandbox = projectId && name ? await findSandbox(deps.records.db, projectId, name) : undefined
  if (!sandbox?.is_ready) throw new SwitchyardError('sandbox_not_found', `sandbox ${name} does not exist`)
  const { head, branch } = await deps.repositories.checkedOut(
    await projectIdentity(deps.records, sandbox.project_id),
    sandbox.path,
  )
  if (head === null) throw new SwitchyardError('repository_empty', `sandbox ${name} has no commit`)
  return { directory: sandbox.path, branch: branch ?? sandbox.branch, baseCommit: head }
}

/**
 * Creates the working directory of a task. Safe to repeat after a crash: the same task gets the same directory.
 *
 * @throws SwitchyardError `workspace_gone`, `sandbox_not_found`, and the `repository_*`, `branch_*` and disk codes
 */
export const createWorkspace = async (deps: WorkspaceDeps, row: TaskRow, signal: AbortSignal): Promise<Workspace> => {
  const recorded = await recordedWorkspace(row)
  if (recorded) return recorded
  if (row.sandbox !== null) return await sandboxWorkspace(deps, row)
  const directory = deps.layout.task(row)
  await mkdir(path.dirname(directory), { recursive: true })
  if (row.project_id === null) return await createScratch(directory, { signal })
  const identity = await projectIdentity(deps.records, row.project_id)
  await deps.repositories.fetch(identity, { signal })
  const request = {
    directory,
    branch: branchOf(row),
    // A branch that the caller named may exist: the task continues at its tip.
    reuse: row.branch !== null,
    ...(row.base_commit ? { base: row.base_commit } : row.base_branch ? { base: row.base_branch } : {}),
    signal,
  }
  // A container mounts its own task's directory only, so its clone cannot borrow objects.
  return row.mode === 'docker'
    ? await deps.repositories.createStandaloneClone(identity, request)
    : await deps.repositories.addClone(identity, request)
}
