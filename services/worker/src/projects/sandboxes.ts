// Creates sandboxes: linked worktrees of a project's one clone that stay until they are deleted.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { type CallArgs, type CallResult, isSwitchyardError, type Sandbox, SwitchyardError } from '@switchyard/contracts'
import type { RepositoryIdentity } from '@switchyard/git'
import { runCommand } from '@switchyard/opencode'
import {
  claimSandbox,
  deleteSandboxRow,
  markSandboxReady,
  type ProjectRow,
  type SandboxRow,
  toSandbox,
} from '@switchyard/records'
import { alone, type ProjectDeps, type Registered, readReady } from './deps.ts'
import { saveBeforeRemoval } from './work.ts'

/** Characters of a failed start command's output in the error. */
const LAST_WORDS = 1_000

export const defaultBranch = (name: string): string => `sandbox/${name}`

const canGo = async (deps: ProjectDeps, identity: RepositoryIdentity, row: SandboxRow): Promise<boolean> => {
  try {
    await saveBeforeRemoval(deps, identity, row.path, `sandbox ${row.name}`, true)
    return true
  } catch (error) {
    deps.logger.warn(
      { sandbox: row.path, err: error },
      'sandbox creation failed; its directory stays because it holds work',
    )
    return false
  }
}

/** Removes what was created of a sandbox whose creation failed. */
const takeBack = async (deps: ProjectDeps, project: Registered, row: SandboxRow): Promise<void> => {
  const { identity } = project
  // It was ready before: a crash during its removal may have left work in it.
  if (row.base_commit !== null && !(await canGo(deps, identity, row))) return
  await deps.servers
    .runningFor(project.row)
    ?.client.disposeDirectory(row.path)
    .catch(() => {})
  await deps.repositories.removeWorktree(identity, row.path, deps.layout.sandboxes(identity))
  // The branch was created for it and is empty; a requested branch may hold other work.
  if (row.branch === defaultBranch(row.name)) await deps.repositories.deleteBranch(identity, row.branch)
  await deleteSandboxRow(deps.records.db, row.project_id, row.name)
}

/** @throws SwitchyardError `sandbox_failed` with the command's last output, `opencode_unavailable` */
const runStartCommand = async (
  { servers }: ProjectDeps,
  project: ProjectRow & { readonly server: string | null },
  { path: directory, start_command: command }: SandboxRow,
  signal: AbortSignal,
): Promise<void> => {
  if (command === null) return
  if (!servers.shared && project.isolation === 'shared')
    throw new SwitchyardError('not_supported', 'a start command needs an OpenCode server, and this worker has none')
  const { exitCode, output } = await servers.with(
    project,
    (server) => runCommand(server.client, directory, command, { signal }),
    signal,
  )
  if (exitCode === 0) return
  throw new SwitchyardError(
    'sandbox_failed',
    `the start command ended with code ${exitCode}: ${output.slice(-LAST_WORDS)}`,
  )
}

/**
 * Safe to repeat: the same name on the same branch is the same sandbox, and a deleted `.git` is restored. A start command runs
 * again after a crash interrupted it, never in a ready sandbox.
 *
 * @throws SwitchyardError `sandbox_exists`, `sandbox_failed`, `branch_*`, `invalid_branch`, `disk_full`, …
 */
export const createSandbox = async (
  deps: ProjectDeps,
  args: CallArgs<'sandbox.create'>,
  signal: AbortSignal,
): Promise<CallResult<'sandbox.create'>> =>
  await alone(deps, args.project_id, async () => {
    const project = await readReady(deps, args.project_id)
    const { identity } = project
    const root = deps.layout.sandboxes(identity)
    const branch = args.branch ?? defaultBranch(args.name)
    const { row, created } = await claimSandbox(deps.records.db, {
      project_id: args.project_id,
      name: args.name,
      path: path.join(root, args.name),
      branch,
      base_branch: args.base_branch ?? null,
      start_command: args.start_command ?? null,
      owner_key: args.owner_key,
    })
    if (row.branch !== branch)
      throw new SwitchyardError('sandbox_exists', `sandbox ${args.name} is there, on branch ${row.branch}`)
    if (row.is_ready) {
      await deps.repositories.restore(identity, row.path)
      return { sandbox: toSandbox(row), created: false }
    }
    await deps.repositories.fetch(identity, { signal })
    // A requested branch may exist: the work continues at its end.
    const options = { reuse: args.branch !== undefined, server: args.server }
    return { sandbox: await populate(deps, project, row, options, signal), created }
  })

/**
 * Creates the files of a sandbox and runs its start command; removes everything if that fails.
 *
 * @param options - `reuse`: continue an existing branch; `server`: as in the call
 */
export const populate = async (
  deps: ProjectDeps,
  project: Registered,
  row: SandboxRow,
  { reuse, server }: { readonly reuse: boolean; readonly server: string | null },
  signal: AbortSignal,
): Promise<Sandbox> => {
  const { identity } = project
  try {
    await mkdir(deps.layout.sandboxes(identity), { recursive: true })
    const made = await deps.repositories.addWorktree(identity, {
      directory: row.path,
      branch: row.branch,
      reuse,
      ...(row.base_branch === null ? {} : { base: row.base_branch }),
      signal,
    })
    await runStartCommand(deps, { ...project.row, server }, row, signal)
    const ready = await markSandboxReady(deps.records.db, row.project_id, row.name, made.baseCommit)
    return toSandbox(ready ?? row)
  } catch (error) {
    // A worker that stops, or whose server is unavailable, leaves it to the next call.
    if (!signal.aborted && !isSwitchyardError(error, 'opencode_unavailable')) await takeBack(deps, project, row)
    throw error
  }
}
