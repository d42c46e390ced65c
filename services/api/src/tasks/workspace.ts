// The working directory of a task, to look at: entries, contents, the diff against where it began.

import type { FileContent, FileList, TaskDiff } from '@switchyard/contracts'
import { listFiles, readFile } from '@switchyard/git'
import { directoryOf, readDiff } from '@switchyard/steering'
import type { Caller } from '../caller.ts'
import { findOwnTask } from './access.ts'
import type { TaskDeps } from './deps.ts'

const asPath = (name: string): string => (name === '' ? '.' : name)

/** @throws SwitchyardError `task_not_found`, `workspace_unavailable`, `workspace_gone`, `path_outside_workspace`, `file_not_found` */
export const files = async (deps: TaskDeps, caller: Caller, id: string, name: string): Promise<FileList> => {
  const row = await findOwnTask(deps.records, caller, id)
  const listed = await listFiles(directoryOf(deps.config.workspacesDir, row), asPath(name))
  return { task_id: row.id, path: name, entries: [...listed.entries], truncated: listed.truncated }
}

export type Range = { readonly offset?: number | undefined; readonly limit?: number | undefined }

/** @param range - bytes. @throws SwitchyardError as `files` */
export const content = async (
  deps: TaskDeps,
  caller: Caller,
  id: string,
  name: string,
  range: Range,
): Promise<FileContent> => {
  const row = await findOwnTask(deps.records, caller, id)
  return await readFile(directoryOf(deps.config.workspacesDir, row), name, {
    ...(range.offset === undefined ? {} : { offset: range.offset }),
    ...(range.limit === undefined ? {} : { limit: range.limit }),
  })
}

/** @throws SwitchyardError `task_not_found`, `workspace_unavailable`, `workspace_gone` */
export const diff = async (
  { records, config }: TaskDeps,
  caller: Caller,
  id: string,
  signal: AbortSignal | undefined,
): Promise<TaskDiff> => {
  const row = await findOwnTask(records, caller, id)
  return await readDiff({ records, workspacesDir: config.workspacesDir }, row, signal)
}
