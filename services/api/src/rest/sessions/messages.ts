// What is said in sessions, and what they ask.

import { LIMITS, MAX_MESSAGES, messageIdSchema, SwitchyardError } from '@switchyard/contracts'
import { z } from 'zod'
import type { SessionService } from '../../sessions/service.ts'
import type { RestApp } from '../route.ts'
import { queryInteger } from '../schemas.ts'
import { addOperation } from './operation.ts'
import { AskList, MessageList, ReplyPermission, ReplyQuestion, SendToSession, SentToSession, Todo } from './schemas.ts'
import { SESSION } from './sessions.ts'

const DEFAULT_MESSAGES = 50

const ASK = SESSION.extend({ rid: z.string().meta({ description: 'The id of an ask of the session' }) })

export const addMessageOperations = (app: RestApp, service: SessionService): void => {
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/message',
    operationId: 'listSessionMessages',
    summary: 'Read a session’s messages, the newest page first',
    description: 'In the order they came. `before` the first of a page gives the page before it.',
    params: SESSION,
    query: z.strictObject({
      limit: queryInteger(1, MAX_MESSAGES).optional().meta({ description: 'Default 50' }),
      before: messageIdSchema.optional().meta({ description: 'The id of a message: those before it' }),
    }),
    result: MessageList,
    says: 'A page of messages',
    run: async ({ on, params: { sid }, query }) =>
      await service.messages(on, sid, query.limit ?? DEFAULT_MESSAGES, query.before),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/message',
    operationId: 'sendSessionMessage',
    summary: 'Say something to a session',
    description: `Waits for the answer, \`wait_ms\` at most (default and maximum ${LIMITS.maxWaitMs}; 0: does not wait). A turn that asks something answers at once with its \`asks\`; one that goes on with \`running\`, and so does a message that has not reached the session by then. Sent again with the same \`messageID\` it is said once.`,
    params: SESSION,
    body: SendToSession,
    result: SentToSession,
    says: 'The answer, or how it stands',
    failures: [410, 422],
    run: async ({ on, params: { sid }, body }) => await service.send(on, sid, body, body.wait_ms ?? LIMITS.maxWaitMs),
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/ask',
    operationId: 'listSessionAsks',
    summary: 'What a session and its subagents wait for',
    params: SESSION,
    result: AskList,
    says: 'Permission asks and questions',
    run: async ({ on, params: { sid } }) => await service.one('session.asks', on, sid),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/permission/{rid}',
    operationId: 'replySessionPermission',
    summary: 'Answer a permission ask',
    description: '`always` holds for this session alone.',
    params: ASK,
    body: ReplyPermission,
    result: AskList,
    says: 'The asks that are left',
    run: async ({ on, params: { sid, rid }, body }) => ({ asks: [...(await service.permission(on, sid, rid, body))] }),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/question/{rid}',
    operationId: 'replySessionQuestion',
    summary: 'Answer a question, or decline to',
    params: ASK,
    body: ReplyQuestion,
    result: AskList,
    says: 'The asks that are left',
    run: async ({ on, params: { sid, rid }, body: { answers, reject } }) => {
      if ((answers === undefined) !== (reject === true))
        throw new SwitchyardError('invalid_request', 'give answers, or reject: true')
      return { asks: [...(await service.question(on, sid, rid, answers ?? null))] }
    },
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/todo',
    operationId: 'getSessionTodo',
    summary: 'The session’s to-do list',
    params: SESSION,
    result: Todo,
    says: 'Its entries',
    run: async ({ on, params: { sid } }) => {
      const { todos } = await service.one('session.todo', on, sid)
      return { todos, total: todos.length }
    },
  })
}
