// OpenCode servers: the ones that projects share, and those that projects have for themselves.

import { z } from 'zod'

/** `child`: a child process. `container`: a container of Switchyard. `remote`: started elsewhere. */
export const SERVER_KINDS = ['child', 'container', 'remote'] as const
export type ServerKind = (typeof SERVER_KINDS)[number]

/**
 * `starting` not there yet · `up` · `busy` slow to answer · `down` not there, tried again · `draining` takes nothing new and is then
 * replaced · `stopping`, `stopped`
 */
export const PROJECT_SERVER_STATES = ['starting', 'up', 'busy', 'down', 'draining', 'stopping', 'stopped'] as const
export type ProjectServerState = (typeof PROJECT_SERVER_STATES)[number]

/** The models and agents available on an OpenCode server, without keys and addresses. */
export const availableModelsSchema = z.object({
  providers: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      models: z.array(z.object({ id: z.string(), name: z.string(), variants: z.array(z.string()) })),
    }),
  ),
  agents: z.array(z.object({ name: z.string(), mode: z.string(), description: z.string().nullable() })),
  default_model: z.string().nullable().describe('provider/model that its configuration names'),
})
export type AvailableModels = z.infer<typeof availableModelsSchema>

/** What is in a directory that a project owns: root sessions, and how many of them and below them work now. */
export type LiveDirectory = { readonly directory: string; readonly sessions: number | null; readonly busy: number }

export const llmConfigSchema = z.object({
  default_model: z.string().nullable().describe('of what names no model and is on no project that does'),
  servers: z.array(
    z.object({
      id: z.string(),
      pool: z.enum(['blue', 'green']).nullable(),
      status: z.string(),
      default_model: z.string().nullable(),
      providers: availableModelsSchema.shape.providers,
    }),
  ),
  projects: z
    .array(
      z.object({
        project_id: z.string(),
        git_url: z.string(),
        model: z.string().nullable().describe('set with opencode_llm_set_model; null: the default'),
        providers: availableModelsSchema.shape.providers
          .nullable()
          .describe('null: those of its server; else what its own configuration or server makes of them'),
      }),
    )
    .describe('those that your key may use'),
})
export type LlmConfig = z.infer<typeof llmConfigSchema>

export const setModelSchema = z.object({
  project_id: z.string(),
  git_url: z.string(),
  model: z.string().nullable(),
  previous: z.string().nullable(),
  message: z.string(),
})
export type SetModel = z.infer<typeof setModelSchema>

export const serverSchema = z.object({
  id: z.string(),
  isolation: z.enum(['shared', 'dedicated']),
  kind: z.enum(SERVER_KINDS).nullable().describe('null: it has never run'),
  project_id: z.string().nullable().describe('whose it is; null: shared'),
  git_url: z.string().nullable(),
  pool: z.enum(['blue', 'green']).nullable(),
  status: z.enum(PROJECT_SERVER_STATES),
  detail: z.string().nullable().describe('why it is so, where there is more to say'),
  version: z.string().nullable(),
  pid: z.number().int().nullable(),
  container: z.string().nullable().describe('id of its container'),
  port: z.number().int().nullable(),
  url: z.string().nullable().describe('as its worker reaches it; without credentials'),
  memory_bytes: z.number().int().nullable().describe('of it and all it has started; null: nobody can say'),
  memory_limit_bytes: z.number().int().nullable().describe('at which it is drained and replaced; null: it is not'),
  sessions: z.number().int().nullable().describe('in the directories of projects; null: nobody has counted them yet'),
  busy_sessions: z.number().int().nullable().describe('sessions that work now, tasks’ among them'),
  running_tasks: z.number().int(),
  restarts: z.number().int().nullable().describe('replacements since it was last stopped'),
  last_health_at: z.iso.datetime().nullable(),
  last_used_at: z.iso.datetime().nullable(),
})
export type ServerInfo = z.infer<typeof serverSchema>

/** What a project's answer contains about its server. */
export const serverOfProjectSchema = serverSchema.pick({
  id: true,
  kind: true,
  status: true,
  pid: true,
  container: true,
  port: true,
  memory_bytes: true,
  last_health_at: true,
})
export type ServerOfProject = z.infer<typeof serverOfProjectSchema>

/** Of a project's own server: printable ASCII without a colon, what HTTP's Basic authentication can carry everywhere. */
export const SERVER_PASSWORD = /^[\x21-\x39\x3b-\x7e]{8,190}$/

/** Less than this an OpenCode server with one directory at work does not do with, bytes: 310 to 380 MB idle, 540 to 770 MB after the first prompt. */
export const MIN_SERVER_MEMORY = 1_024 * 1_048_576

export const configureServerSchema = z.strictObject({
  port: z.number().int().min(1_024).max(65_535).nullable().optional().describe('where it listens if that is free'),
  memory_limit_bytes: z
    .number()
    .int()
    .min(MIN_SERVER_MEMORY)
    .max(1_099_511_627_776)
    .nullable()
    .optional()
    .describe('at which it is drained and replaced; 1 GiB at least'),
  idle_ms: z
    .number()
    .int()
    .min(1_000)
    .max(2_592_000_000)
    .nullable()
    .optional()
    .describe('after so long without use it is stopped, until it is needed'),
  environment: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,100}$/, 'is no name of a variable'), z.string().max(4_000))
    .refine((variables) => Object.keys(variables).length <= 50, 'holds more than 50 variables')
    .refine(
      (variables) => Object.values(variables).every((value) => !value.includes('\u0000')),
      'contains a NUL character',
    )
    .optional()
    .describe('variables of its own; all of them, not those that change. No secrets'),
  restart: z
    .boolean()
    .optional()
    .describe('restart it with these settings now; tasks continue afterwards, turns of other sessions are interrupted'),
})
export type ConfigureServer = z.infer<typeof configureServerSchema>

export const serverListSchema = z.object({ servers: z.array(serverSchema), total: z.number().int() })
export type ServerList = z.infer<typeof serverListSchema>
