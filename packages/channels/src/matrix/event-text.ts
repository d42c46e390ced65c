// The messages for the events of a task, apart from its requests.

import type { Task, TaskEvent, TaskResult } from '@switchyard/contracts'
import { headline, type MatrixMessage } from './content.ts'
import { bold, clip, code, type FormattedText, join, lines, plain } from './formatted-text.ts'

/** Limits in characters. A longer answer is shown up to `ANSWER_PREVIEW` and attached. */
const DESCRIPTION = 600
const ANSWER = 3_000
const ANSWER_PREVIEW = 1_500
const MESSAGE = 1_000
/** Homeservers limit the size of a file; the record has the complete answer. */
const FILE = 5_000_000

const duration = (fromIso: string | null, toIso: string): string => {
  if (fromIso === null) return ''
  const seconds = Math.max(0, Math.round((Date.parse(toIso) - Date.parse(fromIso)) / 1_000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const joinDetails = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' · ')

/** Returns changes and cost: `3 files, +10 −2 · $0.0123`. */
const figures = ({ files_changed, additions, deletions, cost }: TaskResult): string => {
  const count = files_changed.length
  const changed =
    count === 0 ? 'no files changed' : `${count} ${count === 1 ? 'file' : 'files'}, +${additions} −${deletions}`
  return joinDetails(changed, `$${cost.toFixed(4)}`)
}

/** Returns the root message of a task's thread. @param canSteer - whether anyone may steer the task in Matrix. */
export const rootText = (task: Task, isStarted: boolean, canSteer: boolean): FormattedText =>
  lines(
    join(
      headline(isStarted ? '▶️' : '📌', isStarted ? 'Started' : 'Task'),
      plain(` · ${joinDetails(task.agent_id, task.project_id ?? '')} · `),
      code(task.task_id),
    ),
    plain(clip(task.task_description.trim(), DESCRIPTION)),
    canSteer ? join(plain('Reply to steer the task. '), code('!help'), plain(' lists the commands.')) : null,
  )

export const progressText = (task: Task, event: TaskEvent): FormattedText =>
  join(
    plain(`⏳ ${clip(event.message, MESSAGE)}`),
    plain(` · ${duration(task.started_at ?? task.created_at, event.timestamp)}`),
  )

const completedText = (task: Task, event: TaskEvent): MatrixMessage => {
  const { result } = task
  const answer = result?.output.trim() ?? ''
  const isLong = answer.length > ANSWER
  const text = lines(
    headline('✅', 'Completed', joinDetails(duration(task.started_at, event.timestamp), result ? figures(result) : '')),
    task.branch === null ? null : join(plain('Branch '), code(task.branch)),
    answer === '' ? null : plain(clip(answer, isLong ? ANSWER_PREVIEW : ANSWER)),
  )
  if (!isLong) return { text }
  return { text, attachment: { name: 'answer.md', type: 'text/markdown', content: answer.slice(0, FILE) } }
}

const UNSUCCESSFUL: Readonly<Record<string, readonly [string, string]>> = {
  task_failed: ['❌', 'Failed'],
  task_timeout: ['⏱️', 'Timed out'],
  task_cancelled: ['🛑', 'Cancelled'],
}

const unsuccessfulText = (task: Task, event: TaskEvent, [emoji, word]: readonly [string, string]): FormattedText =>
  lines(
    headline(
      emoji,
      word,
      joinDetails(duration(task.started_at, event.timestamp), task.result ? figures(task.result) : ''),
    ),
    plain(clip(task.error?.message ?? event.message, MESSAGE)),
    task.error
      ? join(plain('Code '), code(task.error.code), plain(task.error.retryable ? '; a retry may succeed' : ''))
      : null,
  )

/** Returns the message for an event that is neither a request nor progress. */
export const eventText = (task: Task, event: TaskEvent): MatrixMessage => {
  const unsuccessful = UNSUCCESSFUL[event.type]
  if (unsuccessful) return { text: unsuccessfulText(task, event, unsuccessful) }
  switch (event.type) {
    case 'task_completed':
      return completedText(task, event)
    case 'task_started':
      return { text: headline('▶️', 'Started') }
    case 'task_input_answered':
      return { text: headline('✔️', clip(event.message, MESSAGE)) }
    default:
      return { text: join(plain('ℹ️ '), bold(clip(event.message, MESSAGE))) }
  }
}
