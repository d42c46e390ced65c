// What workers do for projects and sandboxes.

import { z } from 'zod'
import { createSandboxSchema, sandboxEntrySchema, sandboxImportedSchema, sandboxSchema } from './projects.ts'

const project = z.object({ project_id: z.string() })
const sandbox = project.extend({ name: z.string() })
const none = z.object({})

export const projectCalls = {
  /** Brings a registered project to `ready` or `waiting_for_key`; its row has what came of it. */
  'project.start': { args: project, result: none },
  /** Ends its sessions’ turns and frees what its server holds for it. */
  'project.stop': { args: project, result: none },
  /** Deletes what we made for it; its registration is taken back. */
  'project.destroy': {
    args: project.extend({ force: z.boolean() }),
    result: z.object({ bundles: z.array(z.string()) }),
  },
  'sandbox.create': {
    args: project.extend(createSandboxSchema.shape).extend({ owner_key: z.string() }),
    result: z.object({ sandbox: sandboxSchema, created: z.boolean() }),
  },
  'sandbox.list': { args: project, result: z.object({ sandboxes: z.array(sandboxEntrySchema) }) },
  'sandbox.reset': {
    args: sandbox.extend({ force: z.boolean() }),
    result: z.object({ sandbox: sandboxSchema, bundle: z.string().nullable() }),
  },
  'sandbox.delete': {
    args: sandbox.extend({ force: z.boolean(), as_imported: z.boolean().optional() }),
    result: z.object({ bundle: z.string().nullable() }),
  },
  /** Gives a new sandbox what an uploaded bundle holds; the upload is deleted. */
  'sandbox.import': { args: sandbox.extend({ upload_id: z.string() }), result: sandboxImportedSchema },
} as const
