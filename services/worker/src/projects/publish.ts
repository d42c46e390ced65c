// Publishes or exports the work of a task or a sandbox. Reads what an agent wrote as data and runs none of it.

import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import {
  type CallArgs,
  type CallResult,
  isTerminal,
  SwitchyardError,
  type TaskId,
  type WorkLocation,
} from '@switchyard/contracts'
import { bundleHead, exportPatch, findOwnGitDirectory, type RepositoryIdentity } from '@switchyard/git'
import { addUploadPart, findSandbox, findTaskRow } from '@switchyard/records'
import { objectDirectories, projectIdentity } from '@switchyard/workspace'
import { type ProjectDeps, readRegistered } from './deps.ts'

type Work = {
  readonly directory: string
  readonly branch: string
  readonly base: string
  readonly objectDirs: readonly string[]
  /** Null for a scratch directory. */
  readonly identity: RepositoryIdentity | null
}

const PART_BYTES = 1_048_576

const ofTask = async (deps: ProjectDeps, id: string): Promise<Work> => {
  const row = await findTaskRow(deps.records.db, id as TaskId)
  if (!row) throw new SwitchyardError('task_not_found', `there is no task ${id}`)
  if (row.workspace_removed_at !== null)
    throw new SwitchyardError('workspace_gone', `the working directory of ${id} was removed after its time`)
  if (row.directory === null || row.base_commit === null)
    throw new SwitchyardError('workspace_unavailable', `${id} has no working directory yet`)
  // A process in the container could swap a checked file for a link to another project before it is read.
  if (row.mode === 'docker' && !isTerminal(row.status))
    throw new SwitchyardError('workspace_unavailable', `${id} is ${row.status}: its container has to end first`, {
      hint: 'Wait for its end, or cancel it; its diff can be read meanwhile.',
    })
  return {
    directory: row.directory,
    branch: row.branch ?? `switchyard/${row.id}`,
    base: row.base_commit,
    objectDirs: await objectDirectories(deps, row),
    identity: row.project_id === null ? null : await projectIdentity(deps.records, row.project_id),
  }
}

const ofSandbox = async (deps: ProjectDeps, projectId: string, name: string): Promise<Work> => {
  const { identity } = await readRegistered(deps, projectId)
  const row = await findSandbox(deps.records.db, projectId, name)
  if (!row?.is_ready || row.base_commit === null)
    throw new SwitchyardError('sandbox_not_found', `there is no sandbox ${name}`)
  const objectDirs = await deps.repositories.objectDirectories(identity, row.path)
  return { directory: row.path, branch: row.branch, base: row.base_commit, objectDirs, identity }
}

const workIn = (deps: ProjectDeps, place: WorkLocation): Promise<Work> =>
  'task_id' in place ? ofTask(deps, place.task_id) : ofSandbox(deps, place.project_id, place.sandbox)

/**
 * Safe to repeat: the same work is the same commit, and work that came since is added.
 *
 * @throws SwitchyardError `workspace_gone`, `workspace_unavailable`, `not_supported` for a scratch directory, `branch_diverged`,
 *   `push_rejected`, `repository_access_denied` and the other `repository_*` and `host_key_*` codes
 */
export const publishWork = async (
  deps: ProjectDeps,
  { place, branch, message, author, force }: CallArgs<'work.publish'>,
  signal: AbortSignal,
): Promise<CallResult<'work.publish'>> => {
  const work = await workIn(deps, place)
  if (work.identity === null)
    throw new SwitchyardError('not_supported', 'the task has no project: there is no remote to publish to', {
      hint: 'Take its work away as a patch or a bundle.',
    })
  await deps.repositories.fetch(work.identity, { signal })
  const { leftOut, ...published } = await deps.repositories.work.publish(work.identity, {
    directory: work.directory,
    branch: branch ?? work.branch,
    ...(message === undefined ? {} : { message }),
    ...(author === undefined ? {} : { author }),
    ...(force === undefined ? {} : { force }),
    signal,
  })
  return { ...published, left_out: [...leftOut] }
}

const handOver = async (deps: ProjectDeps, content: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<string> => {
  const id = `upload_${randomUUID()}`
  let part = 0
  for await (const data of content) {
    await addUploadPart(deps.records.db, id, part, data)
    part += 1
  }
  return id
}

const inParts = (content: Buffer): readonly Buffer[] =>
  Array.from({ length: Math.ceil(content.length / PART_BYTES) }, (_, at) =>
    content.subarray(at * PART_BYTES, (at + 1) * PART_BYTES),
  )

/** @throws SwitchyardError as `publishWork`, and `payload_too_large` for a patch over 64 MiB, or a file over 512 MiB in a bundle */
export const exportWork = async (
  deps: ProjectDeps,
  { place, format }: CallArgs<'work.export'>,
  signal: AbortSignal,
): Promise<CallResult<'work.export'>> => {
  const { directory, base, objectDirs, identity } = await workIn(deps, place)
  if (format === 'patch') {
    const patch = await exportPatch({ directory, base, objectDirs, signal })
    return { upload_id: patch === '' ? null : await handOver(deps, inParts(Buffer.from(patch))) }
  }
  const file = deps.layout.bundle(`export-${randomUUID()}.bundle`)
  try {
    const isWritten =
      identity === null
        ? (await bundleHead(directory, file, { isThin: false, gitDirectory: await findOwnGitDirectory(directory) })) !==
          null
        : await deps.repositories.work.bundle(identity, directory, file, { signal })
    if (!isWritten) return { upload_id: null }
    const bundle = await open(file)
    return { upload_id: await handOver(deps, bundle.createReadStream({ highWaterMark: PART_BYTES })) }
  } finally {
    await rm(file, { force: true })
  }
}
