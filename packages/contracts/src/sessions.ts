// Sessions that people hold in a project, in the spelling of the multi-project HTTP API.

import { z } from 'zod'
import { modelChoiceSchema } from './models.ts'
import { LIMITS, permissionsSchema } from './task.ts'
import { shortText } from './text.ts'

/** A page of messages at most. */
export const MAX_MESSAGES = 100
/** A page of sessions at most. */
export const MAX_SESSIONS = 1_000
/** Where a page may begin at most. */
export const MAX_SESSION_OFFSET = 1_000_000
export const MAX_FOUND_FILES = 200

/** `active`: a turn runs. `waiting`: it waits for the answer to a request. `idle`: neither. */
export const sessionStatusSchema = z.enum(['active', 'waiting', 'idle'])
export type SessionStatus = z.infer<typeof sessionStatusSchema>

export const messageIdSchema = z.string().regex(/^msg_[0-9A-Za-z]{1,60}$/, 'is no message id')
export const sessionIdSchema = z.string().regex(/^ses_[0-9A-Za-z]{1,60}$/, 'is no session id')

export const sessionSchema = z.object({
  id: z.string(),
  title: z.string(),
  projectID: z.string(),
  parentID: z.string().nullable().describe('the session that started it as a subagent'),
  directory: z.string(),
  worktree: z.string().nullable().describe('the sandbox it is in; null: the base checkout, or a task’s directory'),
  taskID: z.string().nullable().describe('the task that it belongs to'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  status: sessionStatusSchema,
  messageCount: z.number().int().nullable().describe('null in lists'),
  agent: z.string().nullable(),
  model: z.object({ providerID: z.string(), modelID: z.string() }).nullable().describe('null: the default'),
  system: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  children: z.array(z.string()).describe('ids of its subagents’ sessions'),
  permissions: z.object({ canEdit: z.boolean(), canShare: z.boolean(), canDelete: z.boolean() }),
  shareURL: z.string().nullable(),
  revert: z.object({ messageID: z.string() }).nullable().describe('the first message that is taken back'),
  cost: z.number().describe('US dollars'),
})
export type SessionInfo = z.infer<typeof sessionSchema>

export const sessionListSchema = z.object({
  sessions: z.array(sessionSchema),
  total: z.number().int().describe('of all pages'),
  active: z.number().int().describe('that work or wait for an answer, of all pages'),
})
export type SessionList = z.infer<typeof sessionListSchema>

/** Of a call that makes something: sent again with the same one it makes nothing more. */
export const sessionKeySchema = shortText(200).describe(
  'Of your choice: a call that is sent again with the same one gives the session that the first one made',
)

export const createSessionSchema = z.object({
  title: shortText(300).optional(),
  worktree: shortText(200).optional().describe('A sandbox of the project; default: its base checkout'),
  directory: shortText(4_096).optional().describe('The same by its path; only ever one of the project’s own'),
  parentID: sessionIdSchema.optional().describe('A session that this one is below; it works in the same directory'),
  agent: shortText(200).optional(),
  model: modelChoiceSchema.optional().describe('Default: the project’s, then DEFAULT_MODEL, then OpenCode’s'),
  system: z.string().max(LIMITS.messageBytes).optional().describe('Put before the model with every message'),
  metadata: z.record(z.string().max(100), z.unknown()).optional().describe('Kept with the session'),
  permissions: permissionsSchema.optional().describe('What it may do without asking. Default ask'),
  idempotencyKey: sessionKeySchema.optional(),
})
export type CreateSession = z.infer<typeof createSessionSchema>

export const changeSessionSchema = z.object({
  title: shortText(300).optional(),
  metadata: z.record(z.string().max(100), z.unknown()).optional().describe('Takes the place of all of it'),
})
export type ChangeSession = z.infer<typeof changeSessionSchema>

/** As OpenCode has it, with the time as in our other objects. */
export const sessionMessageSchema = z.object({
  info: z.looseObject({
    id: z.string(),
    sessionID: z.string(),
    role: z.enum(['user', 'assistant']),
    createdAt: z.iso.datetime(),
  }),
  parts: z.array(z.looseObject({ id: z.string(), type: z.string() })),
})
export type SessionMessageInfo = z.infer<typeof sessionMessageSchema>

export const messageListSchema = z.object({
  messages: z.array(sessionMessageSchema).describe('in the order they came'),
  total: z.number().int(),
  hasMore: z.boolean().describe('there are older ones: `before` the first of these'),
})
export type MessageList = z.infer<typeof messageListSchema>

const textPart = z.strictObject({ type: z.literal('text'), text: z.string().min(1).max(LIMITS.messageBytes) })

export const sendToSessionSchema = z.object({
  parts: z.array(textPart).min(1).max(50).describe('What is said'),
  messageID: messageIdSchema
    .optional()
    .describe(
      'Of your choice, or the one that an answer gave: sent again with the same one it is not said again, and the answer is how its turn stands',
    ),
  model: modelChoiceSchema.optional(),
  agent: shortText(200).optional(),
  variant: shortText(200).optional(),
  system: z.string().max(LIMITS.messageBytes).optional(),
  noReply: z.boolean().optional().describe('Only put it into the session: the model reads it with the next message'),
  wait_ms: z.number().int().min(0).max(LIMITS.maxWaitMs).optional(),
})
export type SendToSession = z.infer<typeof sendToSessionSchema>

export const askSchema = z.object({
  id: z.string(),
  sessionID: z.string().describe('the session that asks: this one, or a subagent’s'),
  kind: z.enum(['permission', 'question']),
  title: z.string(),
  permission: z.string().nullable(),
  patterns: z.array(z.string()),
  questions: z.array(
    z.object({
      question: z.string(),
      header: z.string().nullable(),
      options: z.array(z.object({ label: z.string(), description: z.string().nullable() })),
      multiple: z.boolean(),
    }),
  ),
})
export type Ask = z.infer<typeof askSchema>

export const sentToSessionSchema = z.object({
  running: z
    .boolean()
    .describe('it goes on: follow the session’s events, read its messages, or send it again with this messageID'),
  messageID: z.string().describe('of what was sent'),
  info: sessionMessageSchema.shape.info.nullable().describe('of the answer, once the turn has ended'),
  parts: sessionMessageSchema.shape.parts,
  text: z.string().nullable().describe('the answer’s text'),
  asks: z.array(askSchema).describe('what the turn waits for; answer with permission or question'),
  error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
})
export type SentToSession = z.infer<typeof sentToSessionSchema>

export const replyPermissionSchema = z.object({
  reply: z.enum(['once', 'always', 'reject']).describe('always: for this session'),
  message: z.string().max(10_000).optional().describe('With reject: why; the agent reads it and goes on'),
})
export const replyQuestionSchema = z.object({
  answers: z
    .array(z.array(z.string().min(1).max(10_000)).max(50))
    .max(50)
    .optional()
    .describe('For each question the labels chosen, or free words'),
  reject: z.boolean().optional().describe('Declines to answer'),
})

export const todoSchema = z.object({ content: z.string(), status: z.string(), priority: z.string() })

export const changedFileSchema = z.object({
  path: z.string(),
  status: z.enum(['added', 'modified', 'deleted']),
  additions: z.number().int(),
  deletions: z.number().int(),
  changes: z.number().int().describe('lines, added and deleted'),
})

export const sessionDiffSchema = z.object({
  source: z
    .enum(['turn', 'worktree'])
    .describe('turn: what one message’s turn changed. worktree: the directory against its last commit'),
  diff: z.string().describe('unified'),
  files: z.array(changedFileSchema),
  truncated: z.boolean(),
})

export const SESSION_EVENT_TYPES = [
  'session_message',
  'session_progress',
  'session_artifact',
  'session_turn_ended',
  'session_status',
  'session_input_required',
] as const

export const sessionEventSchema = z.object({
  id: z.string().nullable().describe('resumes after this event; null: a state, sent again on every connection'),
  type: z.enum(SESSION_EVENT_TYPES),
  sessionID: z.string(),
  timestamp: z.iso.datetime(),
  message: z.string().describe('what happened, for a person'),
  data: z.record(z.string(), z.unknown()).describe('what happened, for a program'),
})
export type SessionEvent = z.infer<typeof sessionEventSchema>

/** What the marker of a session begins with that a caller's own key makes: several calls may come with it at once. */
export const KEY_MARKER = 'key_'

/** What Switchyard stores in the metadata of an OpenCode session, under its own key. */
export const ownMetadataSchema = z.object({
  /** Of the call that made it: the same call finds it. */
  marker: z.string().optional(),
  system: z.string().nullable().optional(),
  permissions: permissionsSchema.optional(),
  /** The address at which it was shared, and is no more. */
  unshared: z.string().optional(),
})
export type OwnMetadata = z.infer<typeof ownMetadataSchema>
