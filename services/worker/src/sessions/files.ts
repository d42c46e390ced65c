// The files of a session's directory. They are read by our own code: whatever links the directory holds, nothing outside is.

import type { VcsFileDiff, VcsFileStatus } from '@opencode-ai/sdk/v2'
import { type CallArgs, type CallResult, SwitchyardError } from '@switchyard/contracts'
import { listFiles, readFile } from '@switchyard/workspace'
import { openSession } from './access.ts'
import type { SessionDeps } from './deps.ts'

const DIFF_BYTES = 4 * 1_048_576

const toChange = ({ file, status, additions, deletions }: VcsFileStatus | VcsFileDiff) => ({
  path: file,
  status: status ?? ('modified' as const),
  additions,
  deletions,
  changes: additions + deletions,
})

/** @throws SwitchyardError `session_not_found` */
export const findFiles = async (deps: SessionDeps, args: CallArgs<'session.find'>, signal: AbortSignal) => {
  const { client, place } = await openSession(deps, args, signal)
  const found = await client.findFiles(place.directory, { query: args.query, limit: args.limit }, { signal })
  return { files: [...found] }
}

export const listChanges = async (deps: SessionDeps, args: CallArgs<'session.changes'>, signal: AbortSignal) => {
  const { client, place } = await openSession(deps, args, signal)
  return { files: (await client.changedFiles(place.directory, { signal })).map(toChange) }
}

/** One file against the last commit; empty where it is unchanged. */
export const readPatch = async (deps: SessionDeps, args: CallArgs<'session.patch'>, signal: AbortSignal) => {
  const { client, place } = await openSession(deps, args, signal)
  const changed = await client.workingDiff(place.directory, { signal })
  const path = args.path.replace(/^\.\//, '')
  return { patch: changed.find(({ file }) => file === path)?.patch ?? '' }
}

/** @throws SwitchyardError `path_outside_workspace`, `file_not_found`, `workspace_gone` */
export const listDirectory = async (deps: SessionDeps, args: CallArgs<'session.files'>, signal: AbortSignal) => {
  const { place } = await openSession(deps, args, signal)
  const listed = await listFiles(place.directory, args.path)
  return { path: listed.path, entries: [...listed.entries], truncated: listed.truncated }
}

/** @throws SwitchyardError `path_outside_workspace`, `file_not_found`, `workspace_gone` */
export const readContent = async (deps: SessionDeps, args: CallArgs<'session.file'>, signal: AbortSignal) => {
  const { place } = await openSession(deps, args, signal)
  return await readFile(place.directory, args.path, { offset: args.offset, limit: args.limit })
}

/**
 * What one message's turn changed, or the directory against its last commit.
 *
 * @throws SwitchyardError `session_not_found`, `message_not_found`
 */
export const readDiff = async (
  deps: SessionDeps,
  args: CallArgs<'session.diff'>,
  signal: AbortSignal,
): Promise<CallResult<'session.diff'>> => {
  const { client, place } = await openSession(deps, args, signal)
  const source = args.message_id === null ? 'worktree' : 'turn'
  const changed =
    args.message_id === null
      ? await client.workingDiff(place.directory, { signal })
      : (await turnDiff()).flatMap(({ file, ...rest }) => (file === undefined ? [] : [{ file, ...rest }]))

  async function turnDiff() {
    const messageId = args.message_id ?? ''
    if (!(await client.message({ ...place, messageId }, { signal })))
      throw new SwitchyardError('message_not_found', `the session has no message ${messageId}`)
    return await client.turnDiff({ ...place, messageId }, { signal })
  }

  const whole = changed.map(({ patch }) => patch ?? '').join('')
  const diff = Buffer.from(whole)
    .subarray(0, DIFF_BYTES)
    .toString()
    .replace(/\ufffd+$/, '')
  return { source, diff, files: changed.map(toChange), truncated: diff.length < whole.length }
}

export const readTodo = async (deps: SessionDeps, args: CallArgs<'session.todo'>, signal: AbortSignal) => {
  const { client, place } = await openSession(deps, args, signal)
  const todos = await client.todo(place, { signal })
  return { todos: todos.map(({ content, status, priority }) => ({ content, status, priority })) }
}
