// Answers a permission ask or a question of a task.

import {
  isTerminal,
  type NewEvent,
  type Replied,
  type Reply,
  SwitchyardError,
  type TaskRequest,
} from '@switchyard/contracts'
import { findRequest, type RequestRow, replyToRequest, type TaskRow } from '@switchyard/records'
import type { Speaker, SteeringDeps } from './deps.ts'

const PERMISSION_REPLIES: readonly unknown[] = ['once', 'always', 'reject']

const invalid = (message: string): SwitchyardError => new SwitchyardError('invalid_request', `reply: ${message}`)

const checkAnswers = (answers: readonly (readonly string[])[], questions: TaskRequest['questions']): void => {
  if (answers.length !== questions.length)
    throw invalid(`${questions.length} questions were asked and ${answers.length} answered`)
  for (const [at, question] of questions.entries()) {
    const given = answers[at] ?? []
    if (!given.some((answer) => answer.trim() !== '')) throw invalid(`question ${at + 1} has no answer`)
    if (!question.multiple && given.length > 1) throw invalid(`question ${at + 1} takes one answer`)
  }
}

/** The reply in the form that its kind has; `reject` declines either. @throws SwitchyardError `invalid_request` */
const inForm = (request: RequestRow, reply: Reply['reply']): Reply['reply'] => {
  if (request.kind === 'permission') {
    if (PERMISSION_REPLIES.includes(reply)) return reply
    throw invalid('a permission is answered with once, always or reject')
  }
  if (reply === 'reject') return reply
  if (typeof reply === 'string' && request.questions.length !== 1)
    throw invalid(`give a list with one list of answers for each of the ${request.questions.length} questions`)
  const answers = typeof reply === 'string' ? [[reply]] : reply
  checkAnswers(answers, request.questions)
  return answers
}

const inWords = (reply: Reply['reply']): string =>
  typeof reply === 'string' ? reply : reply.map((answers) => answers.join(', ')).join('; ')

/**
 * Keeps the first answer and tells the worker.
 *
 * @throws SwitchyardError `request_not_found`, `request_already_answered`, `task_ended`, `invalid_request`,
 * `database_unavailable`
 */
export const answerRequest = async (
  deps: Pick<SteeringDeps, 'records' | 'bus'>,
  { by, sourceKey }: Speaker,
  row: TaskRow,
  requestId: string,
  input: Reply,
): Promise<Replied> => {
  const { db } = deps.records
  const request = await findRequest(db, row.id, requestId)
  if (!request) throw new SwitchyardError('request_not_found', `${row.id} has no request ${requestId.slice(0, 60)}`)
  if (request.replied_at !== null || request.settled_at !== null)
    throw new SwitchyardError('request_already_answered', `${requestId} was answered, or is no longer asked`)
  if (isTerminal(row.status)) throw new SwitchyardError('task_ended', `${row.id} has ended: it takes no more answers`)
  const answer = inForm(request, input.reply)
  const event: NewEvent = {
    type: 'task_input_answered',
    message: `answered by ${by}: ${inWords(answer)}`.slice(0, 300),
    data: { request_id: requestId, kind: request.kind, reply: answer, message: input.message ?? null, by },
    ...(sourceKey === undefined ? {} : { source_key: sourceKey }),
  }
  const kept = { reply: answer, message: input.message ?? null }
  const written = await replyToRequest(db, row.id, requestId, kept, by, event)
  if (written === 'answered')
    throw new SwitchyardError('request_already_answered', `${requestId} was answered meanwhile`)
  if (written === 'ended') throw new SwitchyardError('task_ended', `${row.id} has ended: it takes no more answers`)
  deps.bus.publishTask(row.id, { kind: 'events', events: written.events })
  deps.bus.publishCommand({ kind: 'reply', task_id: row.id })
  return { task_id: row.id, request_id: requestId, status: written.task.status }
}
