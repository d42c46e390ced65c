// The tools for sessions: conversations with an agent in a project, beside its tasks.

import {
  askSchema,
  createSessionSchema,
  LIMITS,
  MAX_MESSAGES,
  MAX_SESSION_OFFSET,
  MAX_SESSIONS,
  messageIdSchema,
  messageListSchema,
  modelChoiceSchema,
  replyPermissionSchema,
  replyQuestionSchema,
  SwitchyardError,
  sendToSessionSchema,
  sentToSessionSchema,
  sessionDiffSchema,
  sessionListSchema,
} from '@switchyard/contracts'
import { z } from 'zod'
import type { On } from '../sessions/deps.ts'
import type { SessionService } from '../sessions/service.ts'
import { defineTool, READS, type Tool } from './tool.ts'

const DEFAULT_SESSIONS = 50
const DEFAULT_MESSAGES = 20

const gitUrl = z.string().min(1).max(2_000).describe('The repository’s URL or path, or its project_id')
const sessionId = z.string().min(1).max(200).describe('The session_id that opencode_session_create or _list gave')
const model = modelChoiceSchema.optional().describe('provider/model')

const ACTS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true }

type Call = { readonly caller: On['caller']; readonly signal: AbortSignal }

const on = (project: string, { caller, signal }: Call): On => ({ caller, project, signal })

const createTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_create',
    title: 'Open a session',
    description:
      'Opens a conversation with an agent in a project: in its base checkout, or in the sandbox that `worktree` names. It asks before it edits or runs anything, unless `permissions` is allow or deny. Say something with opencode_session_message.',
    input: z.strictObject({
      git_url: gitUrl,
      worktree: createSessionSchema.shape.worktree,
      parent_id: z.string().max(200).optional().describe('A session that this one is below'),
      title: createSessionSchema.shape.title,
      agent: createSessionSchema.shape.agent,
      model,
      permissions: createSessionSchema.shape.permissions,
      idempotency_key: createSessionSchema.shape.idempotencyKey,
    }),
    output: z.object({ session_id: z.string(), directory: z.string(), title: z.string() }),
    annotations: ACTS,
    run: async ({ git_url: project, parent_id: parentID, idempotency_key: idempotencyKey, ...input }, call) => {
      const session = await sessions.create(on(project, call), { ...input, parentID, idempotencyKey })
      return { session_id: session.id, directory: session.directory, title: session.title }
    },
  })

const listTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_list',
    title: 'List sessions',
    description: 'The sessions of a project, or of one sandbox, the last changed first; those of tasks have a taskID.',
    input: z.strictObject({
      git_url: gitUrl,
      worktree: createSessionSchema.shape.worktree.describe('A sandbox by its name; default: the whole project'),
      limit: z.number().int().min(1).max(MAX_SESSIONS).optional().describe(`Default ${DEFAULT_SESSIONS}`),
      offset: z.number().int().min(0).max(MAX_SESSION_OFFSET).optional().describe('Where the page begins; default 0'),
    }),
    output: sessionListSchema,
    annotations: READS,
    run: async ({ git_url: project, worktree, limit = DEFAULT_SESSIONS, offset = 0 }, call) =>
      await sessions.list(on(project, call), { worktree }, { limit, offset }),
  })

const messageTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_message',
    title: 'Say something to a session',
    description:
      'Sends a message. Returns at once, or with `wait_ms` when the turn has ended or asks something: `running` says whether it goes on, `text` is the answer, `asks` are answered with opencode_session_reply. While a turn runs, the agent reads the message at its next step. Sent again with the same `message_id` it is said once.',
    input: z.strictObject({
      git_url: gitUrl,
      session_id: sessionId,
      message: z.string().min(1).max(LIMITS.messageBytes),
      message_id: sendToSessionSchema.shape.messageID,
      wait_ms: z.number().int().min(0).max(LIMITS.maxWaitMs).optional().describe('Default 0: does not wait'),
      agent: createSessionSchema.shape.agent,
      model,
    }),
    output: sentToSessionSchema
      .pick({ running: true, text: true, asks: true, error: true })
      .extend({ session_id: z.string(), message_id: z.string() }),
    annotations: ACTS,
    run: async (input, call) => {
      const { git_url: project, session_id: id, message, message_id: given, wait_ms: waitMs = 0, ...rest } = input
      const sent = await sessions.send(
        on(project, call),
        id,
        { ...rest, messageID: given, parts: [{ type: 'text', text: message }] },
        waitMs,
      )
      const { running, messageID, text, asks, error } = sent
      return { session_id: id, message_id: messageID, running, text, asks, error }
    },
  })

const replyTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_reply',
    title: 'Answer what a session asks',
    description:
      'Answers a permission ask with `reply`, or a question with `answers` (a list of labels or words for each question); `reply: "reject"` declines either. Gives the asks that are left.',
    input: z.strictObject({
      git_url: gitUrl,
      session_id: sessionId,
      request_id: z.string().min(1).max(200).describe('The id of the ask'),
      reply: replyPermissionSchema.shape.reply.optional(),
      message: replyPermissionSchema.shape.message,
      answers: replyQuestionSchema.shape.answers,
    }),
    output: z.object({ session_id: z.string(), asks: z.array(askSchema) }),
    annotations: ACTS,
    run: async ({ git_url: project, session_id: id, request_id: request, reply, message, answers }, call) => {
      const where = on(project, call)
      if ((reply === undefined) === (answers === undefined))
        throw new SwitchyardError('invalid_request', 'give reply for a permission, or answers for a question')
      const { asks } = await sessions.one('session.asks', where, id)
      const isQuestion = asks.find((ask) => ask.id === request)?.kind === 'question'
      const left =
        isQuestion || reply === undefined
          ? await sessions.question(where, id, request, answers ?? null)
          : await sessions.permission(where, id, request, { reply, message })
      return { session_id: id, asks: [...left] }
    },
  })

const messagesTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_messages',
    title: 'Read a session’s messages',
    description:
      'The newest messages in the order they came, with their parts; `before` the first of them gives older ones.',
    input: z.strictObject({
      git_url: gitUrl,
      session_id: sessionId,
      limit: z.number().int().min(1).max(MAX_MESSAGES).optional().describe(`Default ${DEFAULT_MESSAGES}`),
      before: messageIdSchema.optional().describe('The id of a message: those before it'),
    }),
    output: messageListSchema,
    annotations: READS,
    run: async ({ git_url: project, session_id: id, limit = DEFAULT_MESSAGES, before }, call) =>
      await sessions.messages(on(project, call), id, limit, before),
  })

const abortTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_abort',
    title: 'End what a session does',
    description: 'Aborts its turn and its subagents’, and takes back what they ask. The session stays.',
    input: z.strictObject({ git_url: gitUrl, session_id: sessionId }),
    output: z.object({ aborted: z.array(z.string()).describe('ids of the sessions') }),
    annotations: { ...ACTS, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    run: async ({ git_url: project, session_id: id }, call) =>
      await sessions.one('session.abort', on(project, call), id),
  })

const diffTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_diff',
    title: 'See what was changed',
    description:
      'The session’s directory against its last commit, as a unified diff; with message_id what that message’s turn changed, where OpenCode takes snapshots.',
    input: z.strictObject({ git_url: gitUrl, session_id: sessionId, message_id: messageIdSchema.optional() }),
    output: sessionDiffSchema,
    annotations: READS,
    run: async ({ git_url: project, session_id: id, message_id: message }, call) =>
      await sessions.diff(on(project, call), id, message),
  })

export const sessionTools = (sessions: SessionService): readonly Tool[] => [
  createTool(sessions),
  listTool(sessions),
  messageTool(sessions),
  replyTool(sessions),
  messagesTool(sessions),
  abortTool(sessions),
  diffTool(sessions),
]
