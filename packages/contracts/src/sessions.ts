// Sessions in a project, in the form of the multi-project HTTP API.

import { z } from 'zod'
import { modelChoiceSchema } from './models.ts'
import { LIMITS, permissionsSchema } from './task.ts'
import { shortText } from './text.ts'

/** Maximum number of messages on a page. */
export const MAX_MESSAGES = 100
/** Maximum number of sessions on a page. */
export const MAX_SESSIONS = 1_000
/** Maximum offset of a page. */
export const MAX_SESSION_OFFSET = 1_000_000
export const MAX_FOUND_FILES = 200

/** `active`: a turn runs. `waiting`: a turn waits for a reply to a request. `idle`: neither. */
export const sessionStatusSchema = z.enum(['active', 'waiting', 'idle'])
export type SessionStatus = z.infer<typeof sessionStatusSchema>

export const messageIdSchema = z.string().regex(/^msg_[0-9A-Za-z]{1,60}$/, 'is not a message id')
export const sessionIdSchema = z.string().regex(/^ses_[0-9A-Za-z]{1,60}$/, 'is not a session id')

export const sessionSchema = z.object({
  id: z.string(),
  title: z.string(),
  projectID: z.string(),
  parentID: z.string().nullable().describe('The session that started it as a subagent'),
  directory: z.string(),
  worktree: z.string().nullable().describe('Its sandbox; null in the base checkout or in the directory of a task'),
  taskID: z.string().nullable().describe('The task that it belongs to'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  status: sessionStatusSchema,
  messageCount: z.number().int().nullable().describe('Null in lists'),
  agent: z.string().nullable(),
  model: z.object({ providerID: z.string(), modelID: z.string() }).nullable().describe('Null for the default'),
  system: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  children: z.array(z.string()).describe('Ids of the sessions of its subagents'),
  permissions: z.object({ canEdit: z.boolean(), canShare: z.boolean(), canDelete: z.boolean() }),
  shareURL: z.string().nullable(),
  revert: z.object({ messageID: z.string() }).nullable().describe('The first message that is reverted'),
  cost: z.number().describe('US dollars'),
})
export type SessionInfo = z.infer<typeof sessionSchema>

export const sessionListSchema = z.object({
  sessions: z.array(sessionSchema),
  total: z.number().int().describe('On all pages'),
  active: z.number().int().describe('Sessions with a running turn or an open request, on all pages'),
})
export type SessionList = z.infer<typeof sessionListSchema>

/** A key that makes a call safe to repeat. */
export const sessionKeySchema = shortText(200).describe(
  'A key of your choice; a repeated call with the same key returns the session that the first one created',
)

export const createSessionSchema = z.object({
  title: shortText(300).optional(),
  worktree: shortText(200).optional().describe('Name of a sandbox of the project; default: the base checkout'),
  directory: shortText(4_096).optional().describe('The path of the base checkout or of a sandbox, instead of worktree'),
  parentID: sessionIdSchema.optional().describe('The parent session; the new one works in the same directory'),
  agent: shortText(200).optional(),
  model: modelChoiceSchema
    .optional()
    .describe('Default: the model of the project, then DEFAULT_MODEL, then that of OpenCode'),
  system: z.string().max(LIMITS.messageBytes).optional().describe('System prompt of every message'),
  metadata: z.record(z.string().max(100), z.unknown()).optional().describe('Stored with the session'),
  permissions: permissionsSchema.optional().describe('What the agent may do without a request. Default ask'),
  idempotencyKey: sessionKeySchema.optional(),
})
export type CreateSession = z.infer<typeof createSessionSchema>

export const changeSessionSchema = z.object({
  title: shortText(300).optional(),
  metadata: z.record(z.string().max(100), z.unknown()).optional().describe('Replaces all metadata'),
})
export type ChangeSession = z.infer<typeof changeSessionSchema>

/** A message as OpenCode returns it, with the time in the format of our other objects. */
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
  messages: z.array(sessionMessageSchema).describe('In order'),
  total: z.number().int(),
  hasMore: z
    .boolean()
    .describe('Whether older messages exist; read them with `before` and the id of the first one here'),
})
export type MessageList = z.infer<typeof messageListSchema>

const textPart = z.strictObject({ type: z.literal('text'), text: z.string().min(1).max(LIMITS.messageBytes) })

export const sendToSessionSchema = z.object({
  parts: z.array(textPart).min(1).max(50).describe('The content of the message'),
  messageID: messageIdSchema
    .optional()
    .describe(
      'An id of your choice, or one from an earlier response. A repeated call with the same id sends nothing again and returns the state of its turn',
    ),
  model: modelChoiceSchema.optional(),
  agent: shortText(200).optional(),
  variant: shortText(200).optional(),
  system: z.string().max(LIMITS.messageBytes).optional(),
  noReply: z
    .boolean()
    .optional()
    .describe('Add the message without starting a turn; the model reads it with the next message'),
  wait_ms: z.number().int().min(0).max(LIMITS.maxWaitMs).optional(),
})
export type SendToSession = z.infer<typeof sendToSessionSchema>

export const askSchema = z.object({
  id: z.string(),
  sessionID: z.string().describe('The session that made the request: this one, or that of a subagent'),
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
    .describe(
      'Whether the turn still runs: follow the events of the session, read its messages, or repeat the call with this messageID',
    ),
  messageID: z.string().describe('Id of the message that was sent'),
  info: sessionMessageSchema.shape.info.nullable().describe('Info of the answer; null until the turn has ended'),
  parts: sessionMessageSchema.shape.parts,
  text: z.string().nullable().describe('Text of the answer'),
  asks: z.array(askSchema).describe('Open requests of the turn; answer them with permission or question'),
  error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
})
export type SentToSession = z.infer<typeof sentToSessionSchema>

export const replyPermissionSchema = z.object({
  reply: z.enum(['once', 'always', 'reject']).describe('`always` applies to this session'),
  message: z.string().max(10_000).optional().describe('With reject: the reason; the agent reads it and continues'),
})
export const replyQuestionSchema = z.object({
  answers: z
    .array(z.array(z.string().min(1).max(10_000)).max(50))
    .max(50)
    .optional()
    .describe('For each question, the chosen labels or your own text'),
  reject: z.boolean().optional().describe('Reject the question'),
})

export const todoSchema = z.object({ content: z.string(), status: z.string(), priority: z.string() })

export const changedFileSchema = z.object({
  path: z.string(),
  status: z.enum(['added', 'modified', 'deleted']),
  additions: z.number().int(),
  deletions: z.number().int(),
  changes: z.number().int().describe('Added and deleted lines together'),
})

export const sessionDiffSchema = z.object({
  source: z
    .enum(['turn', 'worktree'])
    .describe('turn: the changes of one turn; worktree: the directory compared with its last commit'),
  diff: z.string().describe('Unified diff'),
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
  id: z.string().nullable().describe('Id to resume after; null for a state, which is sent again on every connection'),
  type: z.enum(SESSION_EVENT_TYPES),
  sessionID: z.string(),
  timestamp: z.iso.datetime(),
  message: z.string().describe('What happened, in words'),
  data: z.record(z.string(), z.unknown()).describe('What happened, as data'),
})
export type SessionEvent = z.infer<typeof sessionEventSchema>

/** Prefix of the marker of a session that was created with a key of the caller; several calls may use that key at once. */
export const KEY_MARKER = 'key_'

/** What Switchyard stores in the metadata of an OpenCode session, under its own key. */
export const ownMetadataSchema = z.object({
  /** Key of the call that created it; the same call finds it again. */
  marker: z.string().optional(),
  system: z.string().nullable().optional(),
  permissions: permissionsSchema.optional(),
  /** The URL at which it was shared until sharing was revoked. */
  unshared: z.string().optional(),
})
export type OwnMetadata = z.infer<typeof ownMetadataSchema>
