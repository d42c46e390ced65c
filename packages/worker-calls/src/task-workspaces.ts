// Reads the files and the diff of a task through a worker.

import type { FileContent, FileList, TaskDiff } from '@switchyard/contracts'
import { type Records, readStoredDiff, recordedDirectory, type TaskRow } from '@switchyard/records'
import type { WorkerCalls } from './worker-calls.ts'

export type FilePart = {
  /** Bytes to skip; default 0. */
  readonly offset?: number | undefined
  /** Bytes; default 256 KiB, 1 MiB at most. */
  readonly limit?: number | undefined
}

/**
 * All that services other than the worker know of a task's working directory. The record answers what it can: that the
 * directory does not exist yet, that it was removed, and then the diff as it was when the task ended.
 */
export class TaskWorkspaces {
  readonly #records: Records
  readonly #calls: Pick<WorkerCalls, 'call'>

  constructor(records: Records, calls: Pick<WorkerCalls, 'call'>) {
    this.#records = records
    this.#calls = calls
  }

  /**
   * Lists one directory.
   *
   * @param path - relative to the working directory; empty for itself
   * @throws SwitchyardError `workspace_unavailable`, `workspace_gone`, `path_outside_workspace`, `file_not_found`,
   *   `worker_unavailable`, `call_timeout`, `database_unavailable`
   */
  async listFiles(row: TaskRow, path: string, signal?: AbortSignal): Promise<FileList> {
    recordedDirectory(row)
    const listed = await this.#calls.call('task.files', { task_id: row.id, path }, { signal })
    return { ...listed, task_id: row.id, path }
  }

  /** Reads a part of one file. @throws SwitchyardError as `listFiles` */
  async readFile(row: TaskRow, path: string, part: FilePart, signal?: AbortSignal): Promise<FileContent> {
    recordedDirectory(row)
    return await this.#calls.call('task.file', { task_id: row.id, path, ...part }, { signal })
  }

  /** Reads the diff against where the task began. @throws SwitchyardError as `listFiles` */
  async readDiff(row: TaskRow, signal?: AbortSignal): Promise<TaskDiff> {
    if (row.workspace_removed_at !== null) return await readStoredDiff(this.#records.db, row.id)
    recordedDirectory(row)
    return await this.#calls.call('task.diff', { task_id: row.id }, { signal })
  }
}
