// What workers do for projects and sandboxes.

import { z } from 'zod'
import { createSandboxSchema, sandboxSchema } from './projects.ts'

const project = z.object({ project_id: z.string() })
const none = z.object({})

export const projectCalls = {
  /** Brings a registered project to `ready` or `waiting_for_key`; its row has what came of it. */
  'project.start': { args: project, result: none },
  /** Ends its sessions’ turns and frees what its server holds for it. */
  'project.stop': { args: project, result: none },
  'sandbox.create': {
    args: project.extend(createSandboxSchema.shape).extend({ owner_key: z.string() }),
    result: z.object({ sandbox: sandboxSchema, created: z.boolean() }),
  },
} as const
