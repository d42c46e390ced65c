// The state of each part, as /health and /ready report it.

import { z } from 'zod'

export const partSchema = z.object({
  name: z.string(),
  status: z.enum(['up', 'degraded', 'down']),
  detail: z.string().nullable().describe('What is wrong, or the version'),
  latency_ms: z.number().nullable(),
})
export type Part = z.infer<typeof partSchema>

export const readySchema = z.object({ ready: z.boolean(), parts: z.array(partSchema) })
export type Ready = z.infer<typeof readySchema>

export const healthSchema = z.object({
  status: z.enum(['ok', 'degraded', 'down']),
  version: z.string(),
  uptime_s: z.number(),
  parts: z.array(partSchema),
  counts: z.record(z.string(), z.number().int()).describe('Number of tasks by status'),
  providers: z.array(z.string()).describe('Model providers of the OpenCode servers'),
})
export type Health = z.infer<typeof healthSchema>
