// Projects in the spelling of the multi-project HTTP API, and what OpenCode offers in them.

import { z } from 'zod'
import { isolationSchema, projectStatusSchema } from './projects.ts'
import { shortText } from './text.ts'

const settingsSchema = z.record(z.string().max(100), z.unknown())

export const projectObjectSchema = z.object({
  id: z.string(),
  name: z.string(),
  gitURL: z.string(),
  worktree: z.string().nullable().describe('its base checkout'),
  vcs: z.literal('git'),
  branch: z.string().nullable().describe('its default branch'),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  lastAccessed: z.iso.datetime().describe('the last change of a session of its, or of itself'),
  sessionCount: z.number().int().nullable().describe('of its checkout and sandboxes; null: nobody could be asked'),
  activeCount: z.number().int().describe('sessions that work, those of tasks among them'),
  taskCount: z.number().int().describe('tasks that have not ended'),
  status: projectStatusSchema,
  detail: z.string().nullable().describe('why it is so, where there is more to say'),
  model: z.string().nullable(),
  isolation: isolationSchema,
  metadata: z.object({
    description: z.string().nullable(),
    tags: z.array(z.string()),
    settings: settingsSchema,
  }),
  children: z.array(z.object({ name: z.string(), worktree: z.string(), branch: z.string() })).describe('its sandboxes'),
  permissions: z.object({
    canEdit: z.boolean(),
    canDelete: z.boolean(),
    agents: z.array(z.string()).describe('keys, beside its owner’s and operators’, that may use it'),
  }),
  warnings: z.array(z.string()),
})
export type ProjectObject = z.infer<typeof projectObjectSchema>

export const projectObjectListSchema = z.object({
  projects: z.array(projectObjectSchema),
  total: z.number().int(),
  active: z.number().int().describe('that are ready'),
})

const metadataSchema = z.strictObject({
  description: z.string().max(10_000).nullable().optional(),
  tags: z.array(shortText(100)).max(50).optional(),
  settings: settingsSchema
    .optional()
    .describe('Your own settings; `default: true` makes it the project of calls that name none'),
})

/** What its owner keeps of a project. A field that is left out stays as it is. */
export const changeProjectSchema = z.object({
  name: shortText(200).optional(),
  model: shortText(400)
    .nullable()
    .optional()
    .describe('provider/model of new sessions and tasks; null: the default one'),
  metadata: metadataSchema.optional(),
  permissions: z.strictObject({ agents: z.array(shortText(200)).max(100) }).optional(),
})
export type ChangeProject = z.infer<typeof changeProjectSchema>

export const initProjectSchema = z.object({
  gitURL: shortText(2_000).optional().describe('A git URL, or host/owner/repo'),
  worktree: shortText(1_000)
    .optional()
    .describe('A checkout on the worker’s host (operators only): with gitURL it is worked in, alone it is the project'),
  vcs: z.literal('git').optional(),
  name: shortText(200).optional(),
  model: shortText(400).optional(),
  isolation: isolationSchema.optional(),
  metadata: metadataSchema.optional(),
})
export type InitProject = z.infer<typeof initProjectSchema>

export const initialisedProjectSchema = projectObjectSchema.extend({
  publicKey: z.string().nullable().describe('to add to the repository where status is waiting_for_key'),
  nextStep: z.string().nullable().describe('what to do, and what to call then'),
})

export const providerListSchema = z.object({
  providers: z.array(
    z.looseObject({
      id: z.string(),
      name: z.string(),
      models: z.array(z.looseObject({ id: z.string(), name: z.string() })),
    }),
  ),
  default: z.string().nullable().describe('the provider of the default model'),
  defaultModels: z.record(z.string(), z.string()).describe('by provider'),
})

export const configObjectSchema = z.object({
  project: z.object({ id: z.string(), name: z.string() }),
  settings: settingsSchema.describe('the project’s own, with defaultProvider and defaultModel'),
  mcp: z.object({ servers: z.array(z.string()), enabled: z.boolean() }),
  config: z.record(z.string(), z.unknown()).describe('OpenCode’s, with *** in the place of secrets'),
})

export const agentListSchema = z.object({
  agents: z.array(
    z.looseObject({ id: z.string(), name: z.string(), description: z.string().nullable(), mode: z.string() }),
  ),
  default: z.string().nullable(),
})
