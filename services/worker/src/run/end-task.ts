// How a run ends: the result of what was done, and the one terminal event.

import {
  ERRORS,
  type ErrorCode,
  type NewEvent,
  type TaskError,
  type TaskResult,
  type TerminalStatus,
} from '@switchyard/contracts'
import { diffAgainst } from '@switchyard/git'
import { summariseTurn } from '@switchyard/opencode'
import { type Advanced, storeDiff } from '@switchyard/records'
import type { Logger } from 'pino'
import type { Found } from './opencode/transcript.ts'
import type { RunRecord } from './run-record.ts'

export type Ending = { readonly status: TerminalStatus; readonly error: TaskError | null }

export const failure = (code: ErrorCode, message: string): Ending => ({
  status: 'failed',
  error: { code, message, retryable: ERRORS[code].retryable },
})

const MAX_OUTPUT = 200_000
/** Of the diff that stays when the working directory has gone, bytes. */
const MAX_KEPT_DIFF = 1_048_576

type Changes = Pick<TaskResult, 'files_changed' | 'additions' | 'deletions'>

/** What changed in the working directory. A diff that cannot be made never turns a finished task into a failed one. */
const changesOf = async (record: RunRecord, objectDirs: readonly string[], logger: Logger): Promise<Changes> => {
  const { directory, base_commit } = record.row
  if (directory === null || base_commit === null) return { files_changed: [], additions: 0, deletions: 0 }
  try {
    const diff = await diffAgainst({ directory, base: base_commit, objectDirs, maxBytes: MAX_KEPT_DIFF })
    await storeDiff(record.db, record.row.id, diff)
    return { files_changed: diff.files.map((file) => file.path), additions: diff.additions, deletions: diff.deletions }
  } catch (error) {
    logger.warn({ task_id: record.row.id, err: error }, 'the changes could not be read')
    return { files_changed: [], additions: 0, deletions: 0 }
  }
}

const plural = (count: number, word: string): string => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`

const tellChanges = (result: TaskResult): string =>
  result.files_changed.length === 0
    ? 'no file changed'
    : `${plural(result.files_changed.length, 'file')} changed (+${result.additions} −${result.deletions})`

const tellEnd = (ending: Ending, result: TaskResult): string => {
  const { usage } = result
  const tokens = usage.input + usage.output + usage.reasoning + usage.cache_read + usage.cache_write
  const figures = `${tellChanges(result)}, ${plural(tokens, 'token')}${result.cost > 0 ? `, $${result.cost.toFixed(4)}` : ''}`
  switch (ending.status) {
    case 'completed':
      return `completed: ${figures}`
    case 'failed':
      return `failed: ${ending.error?.message ?? 'unknown'} (${figures})`
    case 'cancelled':
      return `cancelled (${figures})`
    case 'timeout':
      return `${ending.error?.message ?? 'stopped at its deadline'} (${figures})`
  }
}

const EVENT = {
  completed: 'task_completed',
  failed: 'task_failed',
  cancelled: 'task_cancelled',
  timeout: 'task_timeout',
} as const

export type Findings = Found & { readonly objectDirs: readonly string[] }

/** What the task has come to so far. */
export const resultOf = async (record: RunRecord, found: Findings, logger: Logger): Promise<TaskResult> => {
  const summary = summariseTurn([found.root, ...found.children])
  return {
    output: summary.output.slice(0, MAX_OUTPUT),
    ...(await changesOf(record, found.objectDirs, logger)),
    usage: summary.usage,
    cost: summary.cost,
    exit_code: found.exitCode ?? null,
  }
}

/**
 * Writes the terminal status, the result and the last events, all at once.
 *
 * @param conditions - `messagesSent`: refuses to end where callers have sent more messages than these.
 *   `abortPending`: the session may still run and is to be stopped when its server is back.
 * @returns null where a message came in meanwhile and must be delivered first.
 */
export const endTask = async (
  record: RunRecord,
  ending: Ending,
  found: Findings,
  conditions: { readonly abortPending: boolean; readonly messagesSent?: number | undefined },
  logger: Logger,
): Promise<Advanced | null> => {
  const result = await resultOf(record, found, logger)
  const { files_changed, additions, deletions } = result
  const artifact: NewEvent = {
    type: 'task_artifact',
    message: tellChanges(result),
    data: { kind: 'diff', files_changed, additions, deletions },
    source_key: 'diff',
  }
  const end: NewEvent = {
    type: EVENT[ending.status],
    message: tellEnd(ending, result),
    source_key: 'end',
    data: { status: ending.status, error: ending.error, result: { ...result, output: result.output.slice(0, 4_000) } },
  }
  const { model } = summariseTurn([found.root])
  return await record.tryWrite({
    to: ending.status,
    ...(conditions.messagesSent === undefined ? {} : { messagesSent: conditions.messagesSent }),
    set: {
      completed_at: new Date(),
      result,
      error: ending.error,
      abort_pending: conditions.abortPending,
      ...(record.row.model === null && model ? { model } : {}),
    },
    events: files_changed.length > 0 ? [artifact, end] : [end],
  })
}
