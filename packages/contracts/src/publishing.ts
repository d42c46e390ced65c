// Publishing the work of a directory: a push to a branch, a patch or a bundle.

import { z } from 'zod'
import { LIMITS } from './task.ts'
import { shortText } from './text.ts'

export const publishSchema = z.object({
  branch: shortText(250)
    .optional()
    .describe('Branch on the remote, created if missing; default: the branch of the working directory'),
  message: shortText(LIMITS.messageBytes / 10)
    .optional()
    .describe('Message of the commit that contains the uncommitted changes'),
  author: z
    .object({ name: shortText(200), email: shortText(320).regex(/^[^\s<>]+@[^\s<>]+$/, 'is not an email address') })
    .optional()
    .describe('Author of that commit; default Switchyard'),
  force: z
    .boolean()
    .optional()
    .describe(
      'Replace the branch even if it has other commits, unless someone changed it meanwhile. For the project owner and operators',
    ),
})
export type Publish = z.infer<typeof publishSchema>

export const publishedSchema = z.object({
  branch: z.string(),
  commit: z.string().describe('The last commit of the branch'),
  pushed: z.boolean().describe('False if the remote had everything already'),
  commits: z.number().int().describe('Number of commits that were new to the remote'),
  left_out: z.array(z.string()).describe('Files that are too large to commit'),
})
export type Published = z.infer<typeof publishedSchema>

/** `patch`: one diff for `git apply`. `bundle`: the commits, with one more for the uncommitted changes. */
export const exportFormatSchema = z.enum(['patch', 'bundle'])
export type ExportFormat = z.infer<typeof exportFormatSchema>

/** Names a working directory by the task or sandbox that it belongs to. */
export const workLocationSchema = z.union([
  z.object({ task_id: z.string() }),
  z.object({ project_id: z.string(), sandbox: z.string() }),
])
export type WorkLocation = z.infer<typeof workLocationSchema>

export const publishCalls = {
  'work.publish': { args: publishSchema.extend({ place: workLocationSchema }), result: publishedSchema },
  /** The content is an upload by the worker; null if there is nothing to export. */
  'work.export': {
    args: z.object({ place: workLocationSchema, format: exportFormatSchema }),
    result: z.object({ upload_id: z.string().nullable() }),
  },
} as const
