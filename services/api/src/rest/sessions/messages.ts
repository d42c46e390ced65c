// Routes for the messages, requests and to-do list of a session.

import { LIMITS, MAX_MESSAGES, messageIdSchema, SwitchyardError } from '@switchyard/contracts'
import { z } from 'zod'
import type { SessionService } from '../../sessions/service.ts'
import type { RestApp } from '../route.ts'
import { queryInteger } from '../schemas.ts'
import { addOperation } from './operation.ts'
import { AskList, MessageList, ReplyPermission, ReplyQuestion, SendToSession, SentToSession, Todo } from './schemas.ts'
import { SESSION } from './sessions.ts'

const DEFAULT_MESSAGES = 50

const REQUEST = SESSION.extend({ rid: z.string().meta({ description: 'The id of a pending request' }) })

export const addMessageOperations = (app: RestApp, service: SessionService): void => {
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/message',
    operationId: 'listSessionMessages',
    summary: 'Read the messages of a session',
    description:
      'Returns the newest page, in chronological order. Send the id of its first message as `before` to get the previous page.',
    params: SESSION,
    query: z.strictObject({
      limit: queryInteger(1, MAX_MESSAGES).optional().meta({ description: 'Default 50' }),
      before: messageIdSchema.optional().meta({ description: 'A message id; returns the messages before it' }),
    }),
    result: MessageList,
    returns: 'A page of messages',
    run: async ({ call, params: { sid }, query }) =>
      await service.messages(call, sid, query.limit ?? DEFAULT_MESSAGES, query.before),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/message',
    operationId: 'sendSessionMessage',
    summary: 'Send a message to a session',
    description: `Waits up to \`wait_ms\` for the reply (default and maximum ${LIMITS.maxWaitMs}; 0 does not wait). If the agent requests permission or asks a question, the call returns immediately with \`asks\`. If the turn is still running or the message has not arrived yet, it returns \`running\`. Repeated calls with the same \`messageID\` send the message once.`,
    params: SESSION,
    body: SendToSession,
    result: SentToSession,
    returns: 'The reply, or the state of the turn',
    failures: [410, 422],
    run: async ({ call, params: { sid }, body }) =>
      await service.send(call, sid, body, body.wait_ms ?? LIMITS.maxWaitMs),
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/ask',
    operationId: 'listSessionAsks',
    summary: 'List the pending requests of a session and its subagents',
    params: SESSION,
    result: AskList,
    returns: 'The permission requests and questions',
    run: async ({ call, params: { sid } }) => await service.callById('session.asks', call, sid),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/permission/{rid}',
    operationId: 'replySessionPermission',
    summary: 'Reply to a permission request',
    description: '`always` applies to this session only.',
    params: REQUEST,
    body: ReplyPermission,
    result: AskList,
    returns: 'The remaining requests',
    run: async ({ call, params: { sid, rid }, body }) => ({
      asks: [...(await service.permission(call, sid, rid, body))],
    }),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/question/{rid}',
    operationId: 'replySessionQuestion',
    summary: 'Answer or reject a question',
    params: REQUEST,
    body: ReplyQuestion,
    result: AskList,
    returns: 'The remaining requests',
    run: async ({ call, params: { sid, rid }, body: { answers, reject } }) => {
      if ((answers === undefined) !== (reject === true))
        throw new SwitchyardError('invalid_request', 'exactly one of answers and reject: true is required')
      return { asks: [...(await service.question(call, sid, rid, answers ?? null))] }
    },
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/todo',
    operationId: 'getSessionTodo',
    summary: 'Read the to-do list of a session',
    params: SESSION,
    result: Todo,
    returns: 'The entries',
    run: async ({ call, params: { sid } }) => {
      const { todos } = await service.callById('session.todo', call, sid)
      return { todos, total: todos.length }
    },
  })
}
