// Answers a permission request or a question of a task.

import {
  isTerminal,
  type NewEvent,
  type Replied,
  type Reply,
  SwitchyardError,
  type TaskRequest,
} from '@switchyard/contracts'
import { findRequest, type RequestRow, replyToRequest, type TaskRow } from '@switchyard/records'
import type { Actor, SteeringDeps } from './types.ts'

const PERMISSION_REPLIES: readonly unknown[] = ['once', 'always', 'reject']
const MAX_EVENT_MESSAGE = 300

const invalid = (message: string): SwitchyardError => new SwitchyardError('invalid_request', `reply: ${message}`)

const ended = (row: TaskRow): SwitchyardError =>
  new SwitchyardError('task_ended', `${row.id} has ended and accepts no more answers`)

const checkAnswers = (answers: readonly (readonly string[])[], questions: TaskRequest['questions']): void => {
  if (answers.length !== questions.length)
    throw invalid(`the request has ${questions.length} questions and the reply ${answers.length} answers`)
  for (const [index, question] of questions.entries()) {
    const given = answers[index] ?? []
    if (!given.some((answer) => answer.trim() !== '')) throw invalid(`question ${index + 1} has no answer`)
    if (!question.multiple && given.length > 1) throw invalid(`question ${index + 1} accepts one answer`)
  }
}

/**
 * Returns the reply in the form of its request's kind; `reject` declines either kind.
 *
 * @throws SwitchyardError `invalid_request`
 */
const normalizeReply = (request: RequestRow, reply: Reply['reply']): Reply['reply'] => {
  if (request.kind === 'permission') {
    if (PERMISSION_REPLIES.includes(reply)) return reply
    throw invalid('answer a permission request with once, always or reject')
  }
  if (reply === 'reject') return reply
  if (typeof reply === 'string' && request.questions.length !== 1)
    throw invalid(`give a list with one list of answers for each of the ${request.questions.length} questions`)
  const answers = typeof reply === 'string' ? [[reply]] : reply
  checkAnswers(answers, request.questions)
  return answers
}

const describeReply = (reply: Reply['reply']): string =>
  typeof reply === 'string' ? reply : reply.map((answers) => answers.join(', ')).join('; ')

/**
 * Records the first answer to a request and notifies the worker.
 *
 * @throws SwitchyardError `request_not_found`, `request_already_answered`, `task_ended`, `invalid_request`,
 *   `database_unavailable`
 */
export const answerRequest = async (
  deps: Pick<SteeringDeps, 'records' | 'bus'>,
  { by, sourceKey }: Actor,
  row: TaskRow,
  requestId: string,
  input: Reply,
): Promise<Replied> => {
  const { db } = deps.records
  const request = await findRequest(db, row.id, requestId)
  if (!request) throw new SwitchyardError('request_not_found', `${row.id} has no request ${requestId.slice(0, 60)}`)
  if (request.replied_at !== null || request.settled_at !== null)
    throw new SwitchyardError('request_already_answered', `${requestId} was answered or withdrawn already`)
  if (isTerminal(row.status)) throw ended(row)
  const reply = normalizeReply(request, input.reply)
  const event: NewEvent = {
    type: 'task_input_answered',
    message: `answered by ${by}: ${describeReply(reply)}`.slice(0, MAX_EVENT_MESSAGE),
    data: { request_id: requestId, kind: request.kind, reply, message: input.message ?? null, by },
    ...(sourceKey === undefined ? {} : { source_key: sourceKey }),
  }
  const answer = { reply, message: input.message ?? null }
  const written = await replyToRequest(db, row.id, requestId, answer, by, event)
  if (written === 'answered')
    throw new SwitchyardError('request_already_answered', `${requestId} was answered meanwhile`)
  if (written === 'ended') throw ended(row)
  deps.bus.publishTask(row.id, { kind: 'events', events: written.events })
  deps.bus.publishCommand({ kind: 'reply', task_id: row.id })
  return { task_id: row.id, request_id: requestId, status: written.task.status }
}
