// The calls to workers for sessions and for the directories of a project.

import { z } from 'zod'
import { modelRefSchema } from './models.ts'
import { agentListSchema, providerListSchema } from './project-objects.ts'
import {
  askSchema,
  changedFileSchema,
  messageListSchema,
  replyPermissionSchema,
  sessionDiffSchema,
  sessionEventSchema,
  sessionListSchema,
  sessionMessageSchema,
  sessionSchema,
  sessionStatusSchema,
  todoSchema,
} from './sessions.ts'
import { permissionsSchema } from './task.ts'
import { fileContentSchema, fileListSchema } from './workspace.ts'

/**
 * The api has checked that the caller may use the project. `agent`: a key that sees only its own tasks. `server`: the id of
 * that key's own OpenCode server; null: the project's.
 */
const project = z.object({
  project_id: z.string(),
  agent: z.string().nullable(),
  server: z.string().nullable().default(null),
})
const place = project.extend({ directory: z.string().nullable().describe('null: the base checkout') })
const session = project.extend({ session_id: z.string() })
const none = z.object({})
const model = modelRefSchema.nullable()
const one = z.object({ session: sessionSchema })

export const sessionCalls = {
  'session.create': {
    args: project.extend({
      directory: z.string().nullable(),
      worktree: z.string().nullable(),
      parent_id: z.string().nullable(),
      title: z.string().nullable(),
      agent_name: z.string().nullable(),
      model,
      system: z.string().nullable(),
      metadata: z.record(z.string(), z.unknown()),
      permissions: permissionsSchema,
      /** Chosen by the api; calls with the same key create one session. */
      marker: z.string(),
    }),
    result: one,
  },
  'session.list': {
    args: project.extend({
      worktree: z.string().nullable(),
      directory: z.string().nullable(),
      limit: z.number().int(),
      offset: z.number().int(),
    }),
    result: sessionListSchema,
  },
  /** Covers every directory that has sessions. */
  'session.count': {
    args: none,
    result: z.object({
      directories: z.array(
        z.object({ directory: z.string(), sessions: z.number().int(), updated_at: z.iso.datetime() }),
      ),
    }),
  },
  'session.read': { args: session, result: one },
  'session.update': {
    args: session.extend({ title: z.string().nullable(), metadata: z.record(z.string(), z.unknown()).nullable() }),
    result: one,
  },
  'session.delete': { args: session, result: none },
  'session.abort': { args: session, result: z.object({ aborted: z.array(z.string()) }) },
  'session.fork': { args: session.extend({ message_id: z.string().nullable(), marker: z.string() }), result: one },
  /** Both return when the model has answered, or say that the turn still runs. */
  'session.init': {
    args: session.extend({ message_id: z.string(), model }),
    result: z.object({ running: z.boolean() }),
  },
  'session.compact': { args: session.extend({ model }), result: z.object({ running: z.boolean() }) },
  'session.share': { args: session, result: z.object({ url: z.string() }) },
  'session.unshare': { args: session, result: none },
  'session.revert': { args: session.extend({ message_id: z.string(), part_id: z.string().nullable() }), result: one },
  'session.unrevert': { args: session, result: one },
  'session.messages': {
    args: session.extend({ limit: z.number().int(), before: z.string().nullable() }),
    result: messageListSchema,
  },
  'session.message': {
    args: session.extend({
      message_id: z.string(),
      text: z.string(),
      model,
      agent_name: z.string().nullable(),
      variant: z.string().nullable(),
      system: z.string().nullable(),
      no_reply: z.boolean(),
    }),
    result: none,
  },
  /** Returns the state of the turn of one message. */
  'session.turn': {
    args: session.extend({ message_id: z.string() }),
    result: z.object({
      state: z.enum(['running', 'waiting', 'ended', 'unanswered']),
      message: sessionMessageSchema.nullable(),
      text: z.string().nullable(),
      asks: z.array(askSchema),
      error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
    }),
  },
  'session.asks': { args: session, result: z.object({ asks: z.array(askSchema) }) },
  'session.permission': {
    args: session.extend({ request_id: z.string(), ...replyPermissionSchema.shape }),
    result: none,
  },
  'session.question': {
    args: session.extend({ request_id: z.string(), answers: z.array(z.array(z.string())).nullable() }),
    result: none,
  },
  'session.todo': { args: session, result: z.object({ todos: z.array(todoSchema) }) },
  'session.diff': { args: session.extend({ message_id: z.string().nullable() }), result: sessionDiffSchema },
  'session.events': {
    args: session.extend({
      after: z.string().nullable(),
      /** Whether to start a stopped server; otherwise there are no new events. */
      may_start: z.boolean().default(true),
    }),
    result: z.object({
      events: z.array(sessionEventSchema),
      has_more: z.boolean(),
      status: sessionStatusSchema,
      asks: z.array(askSchema),
    }),
  },
  'session.find': {
    args: session.extend({ query: z.string(), limit: z.number().int() }),
    result: z.object({ files: z.array(z.string()) }),
  },
  'session.changes': { args: session, result: z.object({ files: z.array(changedFileSchema) }) },
  'session.patch': { args: session.extend({ path: z.string() }), result: z.object({ patch: z.string() }) },
  'session.files': {
    args: session.extend({ path: z.string() }),
    result: fileListSchema.omit({ task_id: true }),
  },
  'session.file': {
    args: session.extend({ path: z.string(), offset: z.number().int(), limit: z.number().int() }),
    result: fileContentSchema,
  },
  /** Contains no secrets. */
  'directory.config': { args: place, result: z.object({ config: z.record(z.string(), z.unknown()) }) },
  'directory.providers': {
    args: place,
    result: z.object({
      providers: providerListSchema.shape.providers,
      default: z.record(z.string(), z.string()),
    }),
  },
  'directory.agents': {
    args: place,
    result: agentListSchema,
  },
} as const
