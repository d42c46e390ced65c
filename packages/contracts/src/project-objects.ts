// Projects in the form of the multi-project HTTP API, with the agents, models and settings available in them.

import { z } from 'zod'
import { isolationSchema, projectStatusSchema } from './projects.ts'
import { shortText } from './text.ts'

const settingsSchema = z.record(z.string().max(100), z.unknown())

export const projectObjectSchema = z.object({
  id: z.string(),
  name: z.string(),
  gitURL: z.string(),
  worktree: z.string().nullable().describe('The base checkout'),
  vcs: z.literal('git'),
  branch: z.string().nullable().describe('The default branch'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  lastAccessed: z.iso.datetime().describe('When the project or one of its sessions last changed'),
  sessionCount: z
    .number()
    .int()
    .nullable()
    .describe('Sessions in its checkout and sandboxes; null if no server responded'),
  activeCount: z.number().int().describe('Sessions with a running turn, including those of tasks'),
  taskCount: z.number().int().describe('Tasks that have not ended'),
  status: projectStatusSchema,
  detail: z.string().nullable().describe('The reason for the status, if there is one'),
  model: z.string().nullable(),
  isolation: isolationSchema,
  metadata: z.object({
    description: z.string().nullable(),
    tags: z.array(z.string()),
    settings: settingsSchema,
  }),
  children: z.array(z.object({ name: z.string(), worktree: z.string(), branch: z.string() })).describe('The sandboxes'),
  permissions: z.object({
    canEdit: z.boolean(),
    canDelete: z.boolean(),
    agents: z.array(z.string()).describe('Keys that may use the project, besides its owner and operators'),
  }),
  warnings: z.array(z.string()),
})
export type ProjectObject = z.infer<typeof projectObjectSchema>

export const projectObjectListSchema = z.object({
  projects: z.array(projectObjectSchema),
  total: z.number().int(),
  active: z.number().int().describe('Number of projects that are ready'),
})

const metadataSchema = z.strictObject({
  description: z.string().max(10_000).nullable().optional(),
  tags: z.array(shortText(100)).max(50).optional(),
  settings: settingsSchema
    .optional()
    .describe('Your own settings; with `default: true`, calls without a project use this one'),
})

/** The fields of a project that its owner may change. A field that is left out does not change. */
export const changeProjectSchema = z.object({
  name: shortText(200).optional(),
  model: shortText(400)
    .nullable()
    .optional()
    .describe('provider/model of new sessions and tasks; null for the default'),
  metadata: metadataSchema.optional(),
  permissions: z.strictObject({ agents: z.array(shortText(200)).max(100) }).optional(),
})
export type ChangeProject = z.infer<typeof changeProjectSchema>

export const initProjectSchema = z.object({
  gitURL: shortText(2_000).optional().describe('A git URL, or host/owner/repo'),
  worktree: shortText(1_000)
    .optional()
    .describe(
      "Path of a checkout on the worker's host, for operators. With gitURL, work happens in it; alone, it is the project",
    ),
  vcs: z.literal('git').optional(),
  name: shortText(200).optional(),
  model: shortText(400).optional(),
  isolation: isolationSchema.optional(),
  metadata: metadataSchema.optional(),
})
export type InitProject = z.infer<typeof initProjectSchema>

export const initialisedProjectSchema = projectObjectSchema.extend({
  publicKey: z.string().nullable().describe('Public key to add to the repository while status is waiting_for_key'),
  nextStep: z.string().nullable().describe('What to do next, and which call to make after that'),
})

export const providerListSchema = z.object({
  providers: z.array(
    z.looseObject({
      id: z.string(),
      name: z.string(),
      models: z.array(z.looseObject({ id: z.string(), name: z.string() })),
    }),
  ),
  default: z.string().nullable().describe('The provider of the default model'),
  defaultModels: z.record(z.string(), z.string()).describe('The default model of each provider'),
})

export const configObjectSchema = z.object({
  project: z.object({ id: z.string(), name: z.string() }),
  settings: settingsSchema.describe('Settings of the project, with defaultProvider and defaultModel'),
  mcp: z.object({ servers: z.array(z.string()), enabled: z.boolean() }),
  config: z.record(z.string(), z.unknown()).describe('The OpenCode configuration; secrets are replaced by ***'),
})

export const agentListSchema = z.object({
  agents: z.array(
    z.looseObject({ id: z.string(), name: z.string(), description: z.string().nullable(), mode: z.string() }),
  ),
  default: z.string().nullable(),
})
