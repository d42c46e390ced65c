// What an agent is told of a task, in words it can act on: what happened, and which tool comes next.

import { isTerminal, type Task, type TaskEvent, type TaskRequest } from '@switchyard/contracts'
import { clip, plainWords } from '../plain-words.ts'

const ASKED = 300
const OUTPUT = 4_000
const FILES = 20

const changesOf = (task: Task): readonly string[] => {
  const { result, branch } = task
  if (!result) return []
  const files = result.files_changed
  const named = files.slice(0, FILES).join(', ')
  const more = files.length > FILES ? ` and ${files.length - FILES} more` : ''
  return [
    files.length === 0
      ? 'Files changed: none'
      : `Files changed: ${files.length} (+${result.additions} -${result.deletions}): ${plainWords(named, 2_000)}${more}`,
    ...(branch === null ? [] : [`Branch: ${branch}`]),
    `Cost: $${result.cost.toFixed(4)}`,
  ]
}

const ended = (task: Task): readonly string[] => [
  `Task ${task.task_id} has ended: ${task.status}.`,
  `You had asked: ${plainWords(task.task_description, ASKED)}`,
  ...(task.error
    ? [
        `Why: ${task.error.code}: ${plainWords(task.error.message, 1_000)}${task.error.retryable ? ' (a new task may succeed)' : ''}`,
      ]
    : []),
  ...(task.result?.output ? [`Answer: ${plainWords(task.result.output, OUTPUT)}`] : []),
  ...changesOf(task),
  'get_task_status has the whole record, get_task_diff what was changed.',
]

const choicesOf = (request: TaskRequest): readonly string[] =>
  request.kind === 'permission'
    ? [
        `Permission: ${request.permission ?? ''} ${plainWords(request.patterns.join(', '), 1_000)}`.trim(),
        'Reply with "once", "always" (for this task) or "reject".',
      ]
    : [
        ...request.questions.map(({ question, options, multiple }, at) => {
          const offered = options.map(({ label }) => JSON.stringify(clip(label, 200))).join(', ')
          const how = multiple ? 'several of' : 'one of'
          return `${at + 1}. ${plainWords(question, 1_000)}${offered ? ` (${how} ${offered}, or your own words)` : ''}`
        }),
        request.questions.length === 1
          ? 'Reply with a text.'
          : 'Reply with a list that has one list of answers for each question.',
      ]

const asks = (task: Task, request: TaskRequest): readonly string[] => [
  `Task ${task.task_id} needs an answer: ${plainWords(request.title, 500)}`,
  `You had asked: ${plainWords(task.task_description, ASKED)}`,
  ...choicesOf(request),
  `Answer with reply_task_request: task_id ${task.task_id}, request_id ${request.request_id}. Without an answer by ${request.expires_at} it is taken as "${request.default_reply}".`,
]

/** The request that an event tells of, where it still waits for an answer. */
export const openRequestOf = (task: Task, event: TaskEvent): TaskRequest | undefined =>
  task.requests.find((request) => request.request_id === event.data.request_id)

/** Without secrets and without what files hold; 8,000 characters at most. */
export const messageText = (task: Task, event: TaskEvent): string => {
  const request = openRequestOf(task, event)
  const lines =
    isTerminal(task.status) || request === undefined
      ? isTerminal(task.status)
        ? ended(task)
        : [`Task ${task.task_id} is ${task.status}: ${plainWords(event.message, 500)}`]
      : asks(task, request)
  return clip(`[Switchyard] ${lines.join('\n')}`, 8_000)
}
