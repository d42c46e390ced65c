// Answers calls about the working directory of a task.

import { type CallHandlers, SwitchyardError, type TaskId } from '@switchyard/contracts'
import { findTaskRow, type TaskRow } from '@switchyard/records'
import { listFiles } from './list-files.ts'
import { type DiffDeps, readDiff } from './read-diff.ts'
import { readFile } from './read-file.ts'
import { taskDirectory } from './task-directory.ts'

type TaskCall = 'task.files' | 'task.file' | 'task.diff'

/** Returns the handlers of a worker that has the working directories on its disk. */
export const taskCallHandlers = (deps: DiffDeps): CallHandlers<TaskCall> => {
  const findTask = async (id: string): Promise<TaskRow> => {
    const row = await findTaskRow(deps.records.db, id as TaskId)
    if (!row) throw new SwitchyardError('task_not_found', `task ${id} does not exist`)
    return row
  }
  const directoryOf = async (id: string): Promise<string> => taskDirectory(deps.layout, await findTask(id))
  return {
    'task.files': async ({ task_id: id, path }) => await listFiles(await directoryOf(id), path),
    'task.file': async ({ task_id: id, path, ...part }) => await readFile(await directoryOf(id), path, part),
    'task.diff': async ({ task_id: id }, signal) => await readDiff(deps, await findTask(id), signal),
  }
}
