// The named session schemas of the OpenAPI document, with examples.

import {
  askSchema,
  changedFileSchema,
  changeSessionSchema,
  createSessionSchema,
  messageIdSchema,
  messageListSchema,
  modelChoiceSchema,
  replyPermissionSchema,
  replyQuestionSchema,
  sendToSessionSchema,
  sentToSessionSchema,
  sessionDiffSchema,
  sessionEventSchema,
  sessionKeySchema,
  sessionListSchema,
  sessionSchema,
  todoSchema,
} from '@switchyard/contracts'
import { z } from 'zod'

export const Session = sessionSchema.meta({
  id: 'Session',
  examples: [
    {
      id: 'ses_e02f8243bffe2huWM1kKf0JzbG',
      title: 'Architecture review',
      projectID: 'proj_01K5A0Z9F6M2Q7R8S9T0V1W2X3',
      parentID: null,
      directory: '/workspaces/example-sums',
      worktree: null,
      taskID: null,
      createdAt: '2026-03-01T10:00:00.000Z',
      updatedAt: '2026-03-01T10:05:00.000Z',
      status: 'idle',
      messageCount: 4,
      agent: 'build',
      model: { providerID: 'anthropic', modelID: 'claude-sonnet-4-5' },
      system: null,
      metadata: { priority: 'high' },
      children: [],
      permissions: { canEdit: true, canShare: true, canDelete: true },
      shareURL: null,
      revert: null,
      cost: 0.0123,
    },
  ],
})
export const SessionList = sessionListSchema.extend({ sessions: z.array(Session) }).meta({ id: 'SessionList' })
export const CreateSession = createSessionSchema.strict().meta({
  id: 'CreateSession',
  examples: [{ title: 'Architecture review', agent: 'plan', model: 'anthropic/claude-sonnet-4-5' }],
})
export const ChangeSession = changeSessionSchema
  .strict()
  .meta({ id: 'ChangeSession', examples: [{ title: 'Review of the parser' }] })
export const MessageList = messageListSchema.meta({ id: 'SessionMessageList' })
export const SendToSession = sendToSessionSchema.strict().meta({
  id: 'SendToSession',
  examples: [{ parts: [{ type: 'text', text: 'What do you think about this approach?' }], wait_ms: 50_000 }],
})
const Ask = askSchema.meta({ id: 'SessionAsk' })
export const AskList = z.object({ asks: z.array(Ask) }).meta({ id: 'SessionAskList' })
export const SentToSession = sentToSessionSchema.extend({ asks: z.array(Ask) }).meta({
  id: 'SentToSession',
  examples: [
    {
      running: false,
      messageID: 'msg_1fd07de34001ykVrNgyCuNGFLm',
      info: {
        id: 'msg_1fd07e0f5001b3gBGyp1pnVPAA',
        sessionID: 'ses_e02f8243bffe2huWM1kKf0JzbG',
        role: 'assistant',
        createdAt: '2026-03-01T10:05:00.000Z',
      },
      parts: [{ id: 'prt_1fd07e505001RXUirq1LAAqf5x', type: 'text', text: 'It is sound.' }],
      text: 'It is sound.',
      asks: [],
      error: null,
    },
  ],
})
export const ReplyPermission = replyPermissionSchema
  .strict()
  .meta({ id: 'ReplySessionPermission', examples: [{ reply: 'once' }] })
export const ReplyQuestion = replyQuestionSchema
  .strict()
  .meta({ id: 'ReplySessionQuestion', examples: [{ answers: [['Yes']] }] })
export const ForkSession = z
  .strictObject({
    messageID: messageIdSchema.optional().describe('The copy ends before this message; default: copies all messages'),
    idempotencyKey: sessionKeySchema.optional(),
  })
  .meta({ id: 'ForkSession', examples: [{}] })
const modelFields = {
  model: modelChoiceSchema.optional(),
  providerID: z.string().min(1).max(200).optional().describe('Together with modelID an alternative to model'),
  modelID: z.string().min(1).max(200).optional(),
}
export const InitSession = z
  .strictObject({
    ...modelFields,
    messageID: messageIdSchema.optional().describe('Repeated calls with the same id run one turn'),
  })
  .meta({ id: 'InitSession', examples: [{}] })
export const CompactSession = z.strictObject(modelFields).meta({ id: 'CompactSession', examples: [{}] })
export const RevertSession = z
  .strictObject({
    messageID: messageIdSchema.describe('Reverts this message and all later ones'),
    partID: z
      .string()
      .regex(/^prt_[0-9A-Za-z]{1,80}$/)
      .optional(),
  })
  .meta({ id: 'RevertSession', examples: [{ messageID: 'msg_1fd07de34001ykVrNgyCuNGFLm' }] })
export const Todo = z.object({ todos: z.array(todoSchema), total: z.number().int() }).meta({ id: 'SessionTodo' })
export const SessionDiff = sessionDiffSchema.meta({ id: 'SessionDiff' })
export const SessionEvent = sessionEventSchema.meta({ id: 'SessionEvent' })
export const FoundFiles = z
  .object({ files: z.array(z.string()), total: z.number().int() })
  .meta({ id: 'FoundFiles', examples: [{ files: ['src/sum.js'], total: 1 }] })
export const FileStatus = z
  .object({
    files: z.array(changedFileSchema),
    total: z.number().int(),
    modified: z.number().int(),
    added: z.number().int(),
    deleted: z.number().int(),
  })
  .meta({ id: 'FileStatus' })
export const SessionFile = z
  .object({
    type: z.enum(['raw', 'patch']),
    path: z.string(),
    content: z.string(),
    encoding: z.enum(['utf-8', 'base64']),
    size: z.number().int().describe('size of the whole file or patch, in bytes'),
    truncated: z.boolean().describe('whether the file continues after the returned part'),
  })
  .meta({ id: 'SessionFile' })
