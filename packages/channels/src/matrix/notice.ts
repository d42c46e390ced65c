// What is told of each event, in words.

import type { Task, TaskEvent, TaskResult } from '@switchyard/contracts'
import { type Attachment, headline } from './content.ts'
import { bold, clip, code, join, lines, text, type Wording } from './wording.ts'

/** So much of a description is shown. Characters, here and below. */
const DESCRIPTION = 600
/** An answer that is longer is shown so far, and attached as a whole. */
const ANSWER = 3_000
const ANSWER_SHOWN = 1_500
const REASON = 1_000
/** A file is cut after so much: homeservers limit it, and the record has all of it. */
const FILE = 5_000_000

export type MatrixNotice = {
  /** The id of the delivery. */
  readonly id: string
  readonly task: Task
  readonly event: TaskEvent
  readonly observers: readonly string[]
}

export type Told = { readonly wording: Wording; readonly attachment?: Attachment }

const duration = (fromIso: string | null, toIso: string): string => {
  if (fromIso === null) return ''
  const seconds = Math.max(0, Math.round((Date.parse(toIso) - Date.parse(fromIso)) / 1_000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const commas = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' · ')

/** What has changed and what it cost, such as `3 files, +10 −2 · $0.0123`. */
const figures = ({ files_changed, additions, deletions, cost }: TaskResult): string => {
  const count = files_changed.length
  const changed =
    count === 0 ? 'no files changed' : `${count} ${count === 1 ? 'file' : 'files'}, +${additions} −${deletions}`
  return commas(changed, `$${cost.toFixed(4)}`)
}

/** The message that the thread of a task hangs on. @param canAnswer - somebody here may steer it. */
export const opening = (task: Task, isStarted: boolean, canAnswer: boolean): Wording =>
  lines(
    join(
      headline(isStarted ? '▶️' : '📌', isStarted ? 'Started' : 'Task'),
      text(` · ${commas(task.agent_id, task.project_id ?? '')} · `),
      code(task.task_id),
    ),
    text(clip(task.task_description.trim(), DESCRIPTION)),
    canAnswer ? join(text('Reply to steer it. '), code('!help'), text(' lists what else can be said.')) : null,
  )

export const progress = (task: Task, event: TaskEvent): Wording =>
  join(
    text(`⏳ ${clip(event.message, REASON)}`),
    text(` · ${duration(task.started_at ?? task.created_at, event.timestamp)}`),
  )

const completed = (task: Task, event: TaskEvent): Told => {
  const { result } = task
  const answer = result?.output.trim() ?? ''
  const isLong = answer.length > ANSWER
  const wording = lines(
    headline('✅', 'Completed', commas(duration(task.started_at, event.timestamp), result ? figures(result) : '')),
    task.branch === null ? null : join(text('Branch '), code(task.branch)),
    answer === '' ? null : text(clip(answer, isLong ? ANSWER_SHOWN : ANSWER)),
  )
  if (!isLong) return { wording }
  return { wording, attachment: { name: 'answer.md', type: 'text/markdown', text: answer.slice(0, FILE) } }
}

const ENDINGS: Readonly<Record<string, readonly [string, string]>> = {
  task_failed: ['❌', 'Failed'],
  task_timeout: ['⏱️', 'Out of time'],
  task_cancelled: ['🛑', 'Cancelled'],
}

const ended = (task: Task, event: TaskEvent, [sign, word]: readonly [string, string]): Wording =>
  lines(
    headline(sign, word, commas(duration(task.started_at, event.timestamp), task.result ? figures(task.result) : '')),
    text(clip(task.error?.message ?? event.message, REASON)),
    task.error
      ? join(text('Code '), code(task.error.code), text(task.error.retryable ? ': trying again may help' : ''))
      : null,
  )

const answered = (event: TaskEvent): Wording => headline('✔️', clip(event.message, REASON))

/** What an event says; those that need an answer are told by `ask`. */
export const telling = (task: Task, event: TaskEvent): Told => {
  const ending = ENDINGS[event.type]
  if (ending) return { wording: ended(task, event, ending) }
  if (event.type === 'task_completed') return completed(task, event)
  if (event.type === 'task_started') return { wording: headline('▶️', 'Started') }
  if (event.type === 'task_input_answered') return { wording: answered(event) }
  return { wording: join(text('ℹ️ '), bold(clip(event.message, REASON))) }
}
