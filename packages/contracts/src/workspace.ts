// What callers see of the working directory of a task: entries, contents, the diff.

import { z } from 'zod'

export const fileEntrySchema = z.object({
  name: z.string(),
  path: z.string().describe('Relative to the working directory, with /'),
  type: z.enum(['file', 'directory', 'symlink']),
  size: z.number().int().nullable().describe('Bytes; null unless it is a file'),
})
export type FileEntry = z.infer<typeof fileEntrySchema>

export const fileListSchema = z.object({
  task_id: z.string(),
  path: z.string(),
  entries: z.array(fileEntrySchema),
  truncated: z.boolean(),
})
export type FileList = z.infer<typeof fileListSchema>

export const fileContentSchema = z.object({
  path: z.string(),
  content: z.string(),
  encoding: z.enum(['utf-8', 'base64']),
  size: z.number().int().describe('Bytes of the whole file'),
  truncated: z.boolean().describe('Whether the file continues after the returned part'),
})
export type FileContent = z.infer<typeof fileContentSchema>

export const fileDiffSchema = z.object({
  path: z.string(),
  status: z.enum(['added', 'modified', 'deleted', 'renamed']),
  additions: z.number().int(),
  deletions: z.number().int(),
  binary: z.boolean(),
})
export type FileDiff = z.infer<typeof fileDiffSchema>

export const taskDiffSchema = z.object({
  task_id: z.string(),
  diff: z.string().describe('Unified diff against the start of the task'),
  files: z.array(fileDiffSchema),
  truncated: z.boolean(),
})
export type TaskDiff = z.infer<typeof taskDiffSchema>
