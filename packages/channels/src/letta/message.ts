// The text of a message to an agent: what happened to its task, and which tool to call next.

import { isTerminal, type Task, type TaskEvent, type TaskRequest } from '@switchyard/contracts'
import { clip, redact } from '../redact.ts'

/** Characters of a description and of a result, and the number of file names. */
const DESCRIPTION = 300
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
      : `Files changed: ${files.length} (+${result.additions} -${result.deletions}): ${redact(named, 2_000)}${more}`,
    ...(branch === null ? [] : [`Branch: ${branch}`]),
    `Cost: $${result.cost.toFixed(4)}`,
  ]
}

const endedLines = (task: Task): readonly string[] => [
  `Task ${task.task_id} has ended: ${task.status}.`,
  `Task description: ${redact(task.task_description, DESCRIPTION)}`,
  ...(task.error
    ? [
        `Error: ${task.error.code}: ${redact(task.error.message, 1_000)}${task.error.retryable ? ' (a new task may succeed)' : ''}`,
      ]
    : []),
  ...(task.result?.output ? [`Answer: ${redact(task.result.output, OUTPUT)}`] : []),
  ...changesOf(task),
  'Call get_task_status for the full record, or get_task_diff for the changes.',
]

const choicesOf = (request: TaskRequest): readonly string[] =>
  request.kind === 'permission'
    ? [
        `Permission: ${request.permission ?? ''} ${redact(request.patterns.join(', '), 1_000)}`.trim(),
        'Reply with "once", "always" (for this task) or "reject".',
      ]
    : [
        ...request.questions.map(({ question, options, multiple }, at) => {
          const labels = options.map(({ label }) => JSON.stringify(clip(label, 200))).join(', ')
          const how = multiple ? 'one or more of' : 'one of'
          return `${at + 1}. ${redact(question, 1_000)}${labels ? ` (${how} ${labels}, or your own words)` : ''}`
        }),
        request.questions.length === 1 ? 'Reply with text.' : 'Reply with one list of answers per question.',
      ]

const requestLines = (task: Task, request: TaskRequest): readonly string[] => [
  `Task ${task.task_id} needs an answer: ${redact(request.title, 500)}`,
  `Task description: ${redact(task.task_description, DESCRIPTION)}`,
  ...choicesOf(request),
  `Answer with reply_task_request: task_id ${task.task_id}, request_id ${request.request_id}. If nobody answers by ${request.expires_at}, the answer is "${request.default_reply}".`,
]

/** Returns the request of an event if it still waits for an answer. */
export const openRequestOf = (task: Task, event: TaskEvent): TaskRequest | undefined =>
  task.requests.find((request) => request.request_id === event.data.request_id)

const linesOf = (task: Task, event: TaskEvent): readonly string[] => {
  if (isTerminal(task.status)) return endedLines(task)
  const request = openRequestOf(task, event)
  return request
    ? requestLines(task, request)
    : [`Task ${task.task_id} is ${task.status}: ${redact(event.message, 500)}`]
}

/** Returns the text for an event of a task, without secrets and file contents; at most 8,000 characters. */
export const messageText = (task: Task, event: TaskEvent): string =>
  clip(`[Switchyard] ${linesOf(task, event).join('\n')}`, 8_000)
