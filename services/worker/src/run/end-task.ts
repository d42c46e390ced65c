// Writes the end of a task: the terminal status, the result and the last events, in one statement.

import type { NewEvent, TaskResult } from '@switchyard/contracts'
import { summariseTurn } from '@switchyard/opencode'
import type { RunChange, RunRecord } from './run-record.ts'
import type { Ending, Findings } from './verdict.ts'

/** Characters of the output in the event; the record has all of it. */
const MAX_EVENT_OUTPUT = 4_000

const plural = (count: number, word: string): string => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`

const describeChanges = (result: TaskResult): string =>
  result.files_changed.length === 0
    ? 'no files changed'
    : `${plural(result.files_changed.length, 'file')} changed (+${result.additions} −${result.deletions})`

const describeEnd = (ending: Ending, result: TaskResult): string => {
  const { usage } = result
  const tokens = usage.input + usage.output + usage.reasoning + usage.cache_read + usage.cache_write
  const cost = result.cost > 0 ? `, $${result.cost.toFixed(4)}` : ''
  const figures = `${describeChanges(result)}, ${plural(tokens, 'token')}${cost}`
  switch (ending.status) {
    case 'completed':
      return `completed: ${figures}`
    case 'failed':
      return `failed: ${ending.error?.message ?? 'unknown error'} (${figures})`
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

export type TaskEnd = {
  readonly ending: Ending
  readonly findings: Findings
  readonly result: TaskResult
  /** The session may still be running. It is stopped when its server is back. */
  readonly isAbortPending: boolean
  /** The end is refused if callers have sent more messages than this. */
  readonly messagesSeen?: number
}

/**
 * @returns false if the end was refused because of `messagesSeen`; nothing is written then.
 * @throws SwitchyardError `stale_owner`
 */
export const endTask = async (
  record: RunRecord,
  { ending, findings, result, isAbortPending, messagesSeen }: TaskEnd,
): Promise<boolean> => {
  const { files_changed, additions, deletions } = result
  const artifact: NewEvent = {
    type: 'task_artifact',
    message: describeChanges(result),
    data: { kind: 'diff', files_changed, additions, deletions },
    source_key: 'diff',
  }
  const end: NewEvent = {
    type: EVENT[ending.status],
    message: describeEnd(ending, result),
    source_key: 'end',
    data: {
      status: ending.status,
      error: ending.error,
      result: { ...result, output: result.output.slice(0, MAX_EVENT_OUTPUT) },
    },
  }
  const { model } = summariseTurn([findings.root])
  const change: RunChange = {
    to: ending.status,
    set: {
      completed_at: new Date(),
      result,
      error: ending.error,
      abort_pending: isAbortPending,
      ...(record.row.model === null && model ? { model } : {}),
    },
    events: files_changed.length > 0 ? [artifact, end] : [end],
  }
  if (messagesSeen !== undefined) return (await record.tryWrite({ ...change, messagesSent: messagesSeen })) !== null
  await record.write(change)
  return true
}
