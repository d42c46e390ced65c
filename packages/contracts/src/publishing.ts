// Work that leaves a working directory: pushed to a branch, or taken away as a patch or a bundle.

import { z } from 'zod'
import { LIMITS } from './task.ts'
import { shortText } from './text.ts'

export const publishSchema = z.object({
  branch: shortText(250)
    .optional()
    .describe('The branch on the remote, created if missing; default: the branch that is worked on'),
  message: shortText(LIMITS.messageBytes / 10)
    .optional()
    .describe('Of the commit that is made of what was not committed'),
  author: z
    .object({ name: shortText(200), email: shortText(320).regex(/^[^\s<>]+@[^\s<>]+$/, 'is no e-mail address') })
    .optional()
    .describe('Of that commit; default: Switchyard'),
  force: z
    .boolean()
    .optional()
    .describe(
      'Replace what the branch has, as long as nobody else changed it meanwhile. For the project’s owner and operators',
    ),
})
export type Publish = z.infer<typeof publishSchema>

export const publishedSchema = z.object({
  branch: z.string(),
  commit: z.string().describe('what the branch leads to'),
  pushed: z.boolean().describe('false: the remote had all of it already'),
  commits: z.number().int().describe('how many the remote had not'),
  left_out: z.array(z.string()).describe('files too large to be committed'),
})
export type Published = z.infer<typeof publishedSchema>

/** `patch`: one diff that `git apply` takes. `bundle`: the commits, and one more of what was not committed. */
export const exportFormatSchema = z.enum(['patch', 'bundle'])
export type ExportFormat = z.infer<typeof exportFormatSchema>

/** A working directory, by what it belongs to. */
export const workLocationSchema = z.union([
  z.object({ task_id: z.string() }),
  z.object({ project_id: z.string(), sandbox: z.string() }),
])
export type WorkLocation = z.infer<typeof workLocationSchema>

export const publishCalls = {
  'work.publish': { args: publishSchema.extend({ place: workLocationSchema }), result: publishedSchema },
  /** The content comes as an upload of the worker’s; null: there is nothing to take away. */
  'work.export': {
    args: z.object({ place: workLocationSchema, format: exportFormatSchema }),
    result: z.object({ upload_id: z.string().nullable() }),
  },
} as const
