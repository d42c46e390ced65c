// How a run ends: the result of what was done, and the one terminal event.

import { ERRORS, type ErrorCode, type TaskError, type TaskResult, type TerminalStatus } from '@switchyard/contracts'
import { diffAgainst } from '@switchyard/git'
import { type SessionMessage, summariseTurn } from '@switchyard/opencode'
import type { Advanced } from '@switchyard/records'
import type { Logger } from 'pino'
import type { RunRecord } from './record.ts'

export type Ending = { readonly status: TerminalStatus; readonly error: TaskError | null }

export const failure = (code: ErrorCode, message: string): Ending => ({
  status: 'failed',
  error: { code, message, retryable: ERRORS[code].retryable },
})

const MAX_OUTPUT = 200_000

type Changes = Pick<TaskResult, 'files_changed' | 'additions' | 'deletions'>

/** What changed in the working directory. A diff that cannot be made never turns a finished task into a failed one. */
const changesOf = async (record: RunRecord, objectDirs: readonly string[], logger: Logger): Promise<Changes> => {
  const { directory, base_commit } = record.row
  if (directory === null || base_commit === null) return { files_changed: [], additions: 0, deletions: 0 }
  try {
    const diff = await diffAgainst({ directory, base: base_commit, objectDirs })
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

/**
 * Writes the terminal status, the result and the last events, all at once.
 *
 * @param messagesSent - refuses to end where callers have sent more messages than these.
 * @returns null where a message came in meanwhile and must be delivered first.
 */
export const endTask = async (
  record: RunRecord,
  ending: Ending,
  found: {
    readonly root: readonly SessionMessage[]
    readonly children: readonly (readonly SessionMessage[])[]
    readonly objectDirs: readonly string[]
  },
  logger: Logger,
  messagesSent?: number,
): Promise<Advanced | null> => {
  const summary = summariseTurn([found.root, ...found.children])
  const changes = await changesOf(record, found.objectDirs, logger)
  const result: TaskResult = {
    output: summary.output.slice(0, MAX_OUTPUT),
    ...changes,
    usage: summary.usage,
    cost: summary.cost,
    exit_code: null,
  }
  const artifact =
    changes.files_changed.length > 0
      ? [
          {
            type: 'task_artifact' as const,
            message: tellChanges(result),
            data: { kind: 'diff', ...changes },
            source_key: 'diff',
          },
        ]
      : []
  return await record.tryWrite({
    to: ending.status,
    ...(messagesSent === undefined ? {} : { messagesSent }),
    set: {
      completed_at: new Date(),
      result,
      error: ending.error,
      ...(record.row.model === null && summary.model ? { model: summary.model } : {}),
    },
    events: [
      ...artifact,
      {
        type: EVENT[ending.status],
        message: tellEnd(ending, result),
        source_key: 'end',
        data: {
          status: ending.status,
          error: ending.error,
          result: { ...result, output: result.output.slice(0, 4_000) },
        },
      },
    ],
  })
}
