// The result of a task: what its agent answered, what it changed, what it used.

import type { TaskResult } from '@switchyard/contracts'
import { diffAgainst } from '@switchyard/git'
import { summariseTurn } from '@switchyard/opencode'
import { storeDiff } from '@switchyard/records'
import type { Logger } from 'pino'
import type { RunRecord } from './run-record.ts'
import type { Findings } from './verdict.ts'

/** Characters. */
const MAX_OUTPUT = 200_000
/** Limit of the diff that is stored for the time after the working directory is removed, bytes. */
const MAX_STORED_DIFF = 1_048_576

type Changes = Pick<TaskResult, 'files_changed' | 'additions' | 'deletions'>

const NO_CHANGES: Changes = { files_changed: [], additions: 0, deletions: 0 }

/**
 * Stores the diff and returns what it changes. A diff that cannot be read does not fail the task.
 */
const storeChanges = async (record: RunRecord, objectDirs: readonly string[], logger: Logger): Promise<Changes> => {
  const { directory, base_commit } = record.row
  if (directory === null || base_commit === null) return NO_CHANGES
  try {
    const diff = await diffAgainst({ directory, base: base_commit, objectDirs, maxBytes: MAX_STORED_DIFF })
    await storeDiff(record.db, record.row.id, diff)
    return { files_changed: diff.files.map((file) => file.path), additions: diff.additions, deletions: diff.deletions }
  } catch (error) {
    logger.warn({ task_id: record.row.id, err: error }, 'failed to read the changes of a task')
    return NO_CHANGES
  }
}

/**
 * Returns the result so far.
 *
 * @param objectDirs - where the commits of the task are.
 */
export const readResult = async (
  record: RunRecord,
  findings: Findings,
  objectDirs: readonly string[],
  logger: Logger,
): Promise<TaskResult> => {
  const summary = summariseTurn([findings.root, ...findings.children])
  return {
    output: summary.output.slice(0, MAX_OUTPUT),
    ...(await storeChanges(record, objectDirs, logger)),
    usage: summary.usage,
    cost: summary.cost,
    exit_code: findings.exitCode ?? null,
  }
}
