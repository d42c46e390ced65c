// The message for a request: a permission request or a question from the agent, and how to answer it.

import type { TaskEvent, TaskRequest } from '@switchyard/contracts'
import { headline } from './content.ts'
import { bold, clip, code, type FormattedText, join, lines, plain } from './formatted-text.ts'

/** Characters of a question, of an option, and of a permission's pattern. */
const QUESTION = 2_000
const OPTION = 300
const PATTERN = 500

type Question = TaskRequest['questions'][number]

/** The request of a `task_input_required` event. */
export type EventRequest = {
  readonly requestId: string
  readonly kind: TaskRequest['kind']
  readonly patterns: readonly string[]
  readonly questions: readonly Question[]
  readonly expiresAt: string | null
  readonly defaultReply: string
}

const listOf = <T>(value: unknown): readonly T[] => (Array.isArray(value) ? value : [])

/** Reads the request from an event's data, as the worker writes it; undefined if the event has none. */
export const requestOf = ({ data }: TaskEvent): EventRequest | undefined => {
  if (typeof data.request_id !== 'string') return undefined
  return {
    requestId: data.request_id,
    kind: data.kind === 'question' ? 'question' : 'permission',
    patterns: listOf<string>(data.patterns),
    questions: listOf<Question>(data.questions),
    expiresAt: typeof data.expires_at === 'string' ? data.expires_at : null,
    defaultReply: typeof data.default_reply === 'string' ? data.default_reply : 'reject',
  }
}

const option = ({ label, description }: Question['options'][number], index: number): FormattedText =>
  join(plain(`${index + 1}. `), bold(clip(label, OPTION)), plain(description ? ` – ${clip(description, OPTION)}` : ''))

const questionLines = (question: Question, index: number, isOnly: boolean): FormattedText =>
  lines(
    join(plain(isOnly ? '' : `Question ${index + 1}: `), bold(clip(question.question, QUESTION))),
    ...question.options.map(option),
    question.multiple ? plain('You can choose more than one.') : null,
  )

const howToAnswer = ({ kind, questions }: EventRequest): FormattedText => {
  if (kind === 'permission')
    return lines(
      plain('React with ✅ (once), ♾️ (always for this task) or ❌ (reject), or reply with:'),
      join(code('once'), plain(', '), code('always'), plain(', '), code('no, because …')),
    )
  const allowsSeveral = questions.some(({ multiple }) => multiple)
  return join(
    plain(
      questions.length > 1
        ? 'Reply with one line per question, in order: a number or your own words'
        : 'Reply with a number or your own words',
    ),
    plain(allowsSeveral ? ' (for several: 1, 3). ' : '. '),
    code('!reject'),
    plain(' declines.'),
  )
}

const expiry = ({ expiresAt, defaultReply }: EventRequest): FormattedText | null =>
  expiresAt === null
    ? null
    : plain(`If nobody answers by ${expiresAt.slice(0, 16).replace('T', ' ')} UTC, the answer is: ${defaultReply}.`)

/**
 * Returns the message for a request.
 *
 * @param canAnswer - whether anyone may answer in Matrix; otherwise the message names the API call.
 */
export const requestText = (event: TaskEvent, request: EventRequest, canAnswer: boolean): FormattedText => {
  const isQuestion = request.kind === 'question' && request.questions.length > 0
  const patterns = request.patterns.filter((pattern) => pattern !== '*' && !event.message.includes(pattern))
  return lines(
    isQuestion ? headline('❓', 'Question from the agent') : headline('🔐', clip(event.message, QUESTION)),
    ...(isQuestion
      ? request.questions.map((each, index) => questionLines(each, index, request.questions.length === 1))
      : []),
    ...(isQuestion ? [] : patterns.map((pattern) => code(clip(pattern, PATTERN)))),
    canAnswer
      ? howToAnswer(request)
      : join(plain('Answer with '), code(`POST /tasks/${event.task_id}/requests/${request.requestId}/reply`)),
    expiry(request),
  )
}
