// Reads the working directory of a task through a worker: entries, contents, and the diff against its start.

import type { FileContent, FileList, TaskDiff } from '@switchyard/contracts'
import type { FilePart } from '@switchyard/worker-calls'
import type { Caller } from '../access/caller.ts'
import { findAccessibleTask } from '../access/tasks.ts'
import type { TaskDeps } from './deps.ts'

type Signal = AbortSignal | undefined

/** @throws SwitchyardError `task_not_found`, and as `TaskWorkspaces.listFiles` */
export const files = async (
  { records, workspaces }: TaskDeps,
  caller: Caller,
  id: string,
  path: string,
  signal: Signal,
): Promise<FileList> => await workspaces.listFiles(await findAccessibleTask(records, caller, id), path, signal)

/** @throws SwitchyardError `task_not_found`, and as `TaskWorkspaces.readFile` */
export const content = async (
  { records, workspaces }: TaskDeps,
  caller: Caller,
  id: string,
  path: string,
  part: FilePart,
  signal: Signal,
): Promise<FileContent> => await workspaces.readFile(await findAccessibleTask(records, caller, id), path, part, signal)

/** @throws SwitchyardError `task_not_found`, and as `TaskWorkspaces.readDiff` */
export const diff = async (
  { records, workspaces }: TaskDeps,
  caller: Caller,
  id: string,
  signal: Signal,
): Promise<TaskDiff> => await workspaces.readDiff(await findAccessibleTask(records, caller, id), signal)
