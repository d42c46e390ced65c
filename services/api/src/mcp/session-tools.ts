// Tools for sessions: conversations with an agent in a project, independent of tasks.

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
import type { ProjectCall } from '../sessions/deps.ts'
import type { SessionService } from '../sessions/service.ts'
import { defineTool, READS, type Tool, type ToolCall } from './tool.ts'

const DEFAULT_SESSIONS = 50
const DEFAULT_MESSAGES = 20

const gitUrl = z.string().min(1).max(2_000).describe("The repository's URL or path, or its project_id")
const sessionId = z
  .string()
  .min(1)
  .max(200)
  .describe('The session_id from opencode_session_create or opencode_session_list')
const model = modelChoiceSchema.optional().describe('provider/model')

const ACTS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true }

/** Returns the call about a project that a tool call makes. */
const onProject = (project: string, { caller, signal }: ToolCall): ProjectCall => ({
  caller,
  project,
  signal,
})

const createTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_create',
    title: 'Create a session',
    description:
      'Creates a session with an agent in a project and returns its session_id. Use it for a conversation in the checkout, or in the sandbox that worktree names; send messages with opencode_session_message. The agent requests permission before it edits or runs anything, unless permissions is allow or deny.',
    input: z.strictObject({
      git_url: gitUrl,
      worktree: createSessionSchema.shape.worktree,
      parent_id: z.string().max(200).optional().describe('The session_id of the parent session'),
      title: createSessionSchema.shape.title,
      agent: createSessionSchema.shape.agent,
      model,
      permissions: createSessionSchema.shape.permissions,
      idempotency_key: createSessionSchema.shape.idempotencyKey,
    }),
    output: z.object({ session_id: z.string(), directory: z.string(), title: z.string() }),
    annotations: ACTS,
    run: async ({ git_url: project, parent_id: parentID, idempotency_key: idempotencyKey, ...input }, call) => {
      const session = await sessions.create(onProject(project, call), { ...input, parentID, idempotencyKey })
      return { session_id: session.id, directory: session.directory, title: session.title }
    },
  })

const listTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_list',
    title: 'List sessions',
    description:
      'Returns the sessions of a project or of one sandbox, most recently updated first. Use it to find a session_id. Sessions of tasks have a taskID.',
    input: z.strictObject({
      git_url: gitUrl,
      worktree: createSessionSchema.shape.worktree.describe('The name of a sandbox; default: the whole project'),
      limit: z.number().int().min(1).max(MAX_SESSIONS).optional().describe(`Default ${DEFAULT_SESSIONS}`),
      offset: z
        .number()
        .int()
        .min(0)
        .max(MAX_SESSION_OFFSET)
        .optional()
        .describe('Number of sessions to skip; default 0'),
    }),
    output: sessionListSchema,
    annotations: READS,
    run: async ({ git_url: project, worktree, limit = DEFAULT_SESSIONS, offset = 0 }, call) =>
      await sessions.list(onProject(project, call), { worktree }, { limit, offset }),
  })

const messageTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_message',
    title: 'Send a message to a session',
    description:
      'Sends a message to a session and returns whether the turn is running, its text and its pending requests (asks). With wait_ms the call waits until the turn ends or needs input. Reply to asks with opencode_session_reply. During a turn, the agent reads the message at its next step. Repeated calls with the same message_id send it once.',
    input: z.strictObject({
      git_url: gitUrl,
      session_id: sessionId,
      message: z.string().min(1).max(LIMITS.messageBytes),
      message_id: sendToSessionSchema.shape.messageID,
      wait_ms: z
        .number()
        .int()
        .min(0)
        .max(LIMITS.maxWaitMs)
        .optional()
        .describe('Maximum time to wait, in milliseconds; default 0'),
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
        onProject(project, call),
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
    title: 'Reply to a request of a session',
    description:
      'Replies to a permission request or question of a session and returns the remaining ones. Use reply for a permission, and answers for a question: a list of labels or texts per question. Set reply to "reject" to decline either.',
    input: z.strictObject({
      git_url: gitUrl,
      session_id: sessionId,
      request_id: z.string().min(1).max(200).describe('The id of the request, from asks'),
      reply: replyPermissionSchema.shape.reply.optional(),
      message: replyPermissionSchema.shape.message,
      answers: replyQuestionSchema.shape.answers,
    }),
    output: z.object({ session_id: z.string(), asks: z.array(askSchema) }),
    annotations: ACTS,
    run: async ({ git_url: project, session_id: id, request_id: request, reply, message, answers }, call) => {
      const projectCall = onProject(project, call)
      if ((reply === undefined) === (answers === undefined))
        throw new SwitchyardError(
          'invalid_request',
          'exactly one of reply (for a permission) and answers (for a question) is required',
        )
      const { asks } = await sessions.callById('session.asks', projectCall, id)
      const isQuestion = asks.find((ask) => ask.id === request)?.kind === 'question'
      const left =
        isQuestion || reply === undefined
          ? await sessions.question(projectCall, id, request, answers ?? null)
          : await sessions.permission(projectCall, id, request, { reply, message })
      return { session_id: id, asks: [...left] }
    },
  })

const messagesTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_messages',
    title: 'Read the messages of a session',
    description:
      'Returns the newest messages of a session in chronological order, with their parts. Use it to read a conversation. For older messages, send the id of the first one as before.',
    input: z.strictObject({
      git_url: gitUrl,
      session_id: sessionId,
      limit: z.number().int().min(1).max(MAX_MESSAGES).optional().describe(`Default ${DEFAULT_MESSAGES}`),
      before: messageIdSchema.optional().describe('A message id; returns the messages before it'),
    }),
    output: messageListSchema,
    annotations: READS,
    run: async ({ git_url: project, session_id: id, limit = DEFAULT_MESSAGES, before }, call) =>
      await sessions.messages(onProject(project, call), id, limit, before),
  })

const abortTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_abort',
    title: 'Abort a session',
    description:
      'Aborts the turn of a session and its subagents, withdraws their pending requests and returns the aborted session ids. Use it to stop the agent. The session and its file changes stay.',
    input: z.strictObject({ git_url: gitUrl, session_id: sessionId }),
    output: z.object({ aborted: z.array(z.string()).describe('ids of the aborted sessions') }),
    annotations: { ...ACTS, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    run: async ({ git_url: project, session_id: id }, call) =>
      await sessions.callById('session.abort', onProject(project, call), id),
  })

const diffTool = (sessions: SessionService): Tool =>
  defineTool({
    name: 'opencode_session_diff',
    title: 'Read the changes of a session',
    description:
      "Returns a unified diff of the session's directory against its last commit. Use it to review the work. With message_id it returns what the turn of that message changed, if OpenCode's snapshots are enabled.",
    input: z.strictObject({ git_url: gitUrl, session_id: sessionId, message_id: messageIdSchema.optional() }),
    output: sessionDiffSchema,
    annotations: READS,
    run: async ({ git_url: project, session_id: id, message_id: message }, call) =>
      await sessions.diff(onProject(project, call), id, message),
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
