// A permission ask or a question of the agent, in words: what is asked, and how to answer.

import type { TaskEvent, TaskRequest } from '@switchyard/contracts'
import { headline } from './content.ts'
import { bold, clip, code, join, lines, text, type Wording } from './wording.ts'

/** Characters of a question, of an option, and of what a permission is asked for. */
const QUESTION = 2_000
const OPTION = 300
const PATTERN = 500

type Question = TaskRequest['questions'][number]

/** The request that a `task_input_required` tells of; its fields are those that the worker writes. */
export type Asked = {
  readonly requestId: string
  readonly kind: TaskRequest['kind']
  readonly patterns: readonly string[]
  readonly questions: readonly Question[]
  readonly expiresAt: string | null
  readonly defaultReply: string
}

const listOf = <T>(value: unknown): readonly T[] => (Array.isArray(value) ? value : [])

/** @returns undefined where the event names no request. */
export const askedBy = ({ data }: TaskEvent): Asked | undefined => {
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

const option = ({ label, description }: Question['options'][number], at: number): Wording =>
  join(text(`${at + 1}. `), bold(clip(label, OPTION)), text(description ? ` – ${clip(description, OPTION)}` : ''))

const questionLines = (question: Question, at: number, isOnly: boolean): Wording =>
  lines(
    join(text(isOnly ? '' : `Question ${at + 1}: `), bold(clip(question.question, QUESTION))),
    ...question.options.map(option),
    question.multiple ? text('More than one may be chosen.') : null,
  )

const howToAnswer = ({ kind, questions }: Asked): Wording => {
  if (kind === 'permission')
    return lines(
      text('React with ✅ once, ♾️ always for this task, ❌ reject; or answer in words:'),
      join(code('once'), text(', '), code('always'), text(', '), code('no, because …')),
    )
  const several = questions.some(({ multiple }) => multiple)
  return join(
    text(
      questions.length > 1
        ? 'Answer with a line for each question, in order: its number or your own words'
        : 'Answer with the number or in your own words',
    ),
    text(several ? ' (several: 1, 3). ' : '. '),
    code('!reject'),
    text(' declines.'),
  )
}

const untilWhen = ({ expiresAt, defaultReply }: Asked): Wording | null =>
  expiresAt === null
    ? null
    : text(`Without an answer until ${expiresAt.slice(0, 16).replace('T', ' ')} UTC: ${defaultReply}.`)

/** @param canAnswer - somebody here may answer. */
export const ask = (event: TaskEvent, asked: Asked, canAnswer: boolean): Wording => {
  const isQuestion = asked.kind === 'question' && asked.questions.length > 0
  const patterns = asked.patterns.filter((pattern) => pattern !== '*' && !event.message.includes(pattern))
  return lines(
    isQuestion ? headline('❓', 'The agent asks') : headline('🔐', clip(event.message, QUESTION)),
    ...(isQuestion ? asked.questions.map((each, at) => questionLines(each, at, asked.questions.length === 1)) : []),
    ...(isQuestion ? [] : patterns.map((pattern) => code(clip(pattern, PATTERN)))),
    canAnswer
      ? howToAnswer(asked)
      : join(text('Answer with '), code(`POST /tasks/${event.task_id}/requests/${asked.requestId}/reply`)),
    untilWhen(asked),
  )
}
