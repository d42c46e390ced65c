// OpenCode servers, shared and dedicated.

import { z } from 'zod'

/** `child`: a child process. `container`: a container that Switchyard started. `remote`: started by something else. */
export const SERVER_KINDS = ['child', 'container', 'remote'] as const
export type ServerKind = (typeof SERVER_KINDS)[number]

/**
 * `starting`: not ready yet. `busy`: slow to respond. `down`: unreachable; retried. `draining`: accepts nothing new and is then
 * replaced.
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
  default_model: z.string().nullable().describe('provider/model from its configuration'),
})
export type AvailableModels = z.infer<typeof availableModelsSchema>

/** The sessions in a directory of a project: root sessions, and how many of them and their subagents have a running turn. */
export type LiveDirectory = { readonly directory: string; readonly sessions: number | null; readonly busy: number }

export const llmConfigSchema = z.object({
  default_model: z
    .string()
    .nullable()
    .describe('Model of tasks and sessions that name none, in projects that name none'),
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
        model: z.string().nullable().describe('Set with opencode_llm_set_model; null for the default'),
        providers: availableModelsSchema.shape.providers
          .nullable()
          .describe(
            'Providers of the project if its configuration or server changes them; null if they are those of the server',
          ),
      }),
    )
    .describe('Projects that your key may use'),
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
  isolation: z.enum(['shared', 'dedicated', 'owner']).describe('`owner`: for the tasks and sessions of one API key'),
  kind: z.enum(SERVER_KINDS).nullable().describe('Null if it has never run'),
  project_id: z.string().nullable().describe('The project that it is dedicated to; null if to none'),
  git_url: z.string().nullable(),
  owner: z.string().nullable().describe('Name of the API key that it is dedicated to; null if to none'),
  pool: z.enum(['blue', 'green']).nullable(),
  status: z.enum(PROJECT_SERVER_STATES),
  detail: z.string().nullable().describe('The reason for the status, if there is one'),
  version: z.string().nullable(),
  pid: z.number().int().nullable(),
  container: z.string().nullable().describe('Id of its container'),
  port: z.number().int().nullable(),
  url: z.string().nullable().describe('URL that its worker uses, without credentials'),
  memory_bytes: z
    .number()
    .int()
    .nullable()
    .describe('Memory of the server and the processes it started; null if unknown'),
  memory_limit_bytes: z
    .number()
    .int()
    .nullable()
    .describe('Memory use at which it is drained and replaced; null if never'),
  sessions: z.number().int().nullable().describe('Sessions in the directories of projects; null if not counted yet'),
  busy_sessions: z.number().int().nullable().describe('Sessions with a running turn, including those of tasks'),
  running_tasks: z.number().int(),
  restarts: z.number().int().nullable().describe('Number of restarts since it was last stopped'),
  last_health_at: z.iso.datetime().nullable(),
  last_used_at: z.iso.datetime().nullable(),
})
export type ServerInfo = z.infer<typeof serverSchema>

/** What a project shows of its server. */
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

/** The password of a dedicated server: printable ASCII without a colon, which every client of Basic authentication can send. */
export const SERVER_PASSWORD = /^[\x21-\x39\x3b-\x7e]{8,190}$/

/** The least that an OpenCode server with one busy directory needs, bytes: 310 to 380 MB idle, 540 to 770 MB after the first prompt. */
export const MIN_SERVER_MEMORY = 1_024 * 1_048_576

export const configureServerSchema = z.strictObject({
  port: z.number().int().min(1_024).max(65_535).nullable().optional().describe('Port to listen on if it is free'),
  memory_limit_bytes: z
    .number()
    .int()
    .min(MIN_SERVER_MEMORY)
    .max(1_099_511_627_776)
    .nullable()
    .optional()
    .describe('Memory use at which it is drained and replaced, in bytes; at least 1 GiB'),
  idle_ms: z
    .number()
    .int()
    .min(1_000)
    .max(2_592_000_000)
    .nullable()
    .optional()
    .describe('Time without use after which it is stopped until it is needed, in milliseconds'),
  environment: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,100}$/, 'is not a valid variable name'), z.string().max(4_000))
    .refine((variables) => Object.keys(variables).length <= 50, 'contains more than 50 variables')
    .refine(
      (variables) => Object.values(variables).every((value) => !value.includes('\u0000')),
      'contains a NUL character',
    )
    .optional()
    .describe('Environment variables of the server; replaces all of them. Do not put secrets here'),
  restart: z
    .boolean()
    .optional()
    .describe(
      'Restart the server with these settings now; tasks continue afterwards, turns of other sessions are interrupted',
    ),
})
export type ConfigureServer = z.infer<typeof configureServerSchema>

export const serverListSchema = z.object({ servers: z.array(serverSchema), total: z.number().int() })
export type ServerList = z.infer<typeof serverListSchema>
