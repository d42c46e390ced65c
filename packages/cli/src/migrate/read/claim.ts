// What one file says of one project. Several files speak of the same one; merge.ts puts that together.

import { isPlaceholder } from '@switchyard/contracts'
import { z } from 'zod'
import type { Findings } from '../findings.ts'

/** `v1.0`, `v1.1`, `v2`: the state file's shapes. `config-1`, `config-2`: those of the server list. `folder`: no file names it. */
export type Shape = 'v1.0' | 'v1.1' | 'v2' | 'config-1' | 'config-2' | 'folder'

export type Claim = {
  /** The file and the entry in it. */
  readonly where: string
  readonly shape: Shape
  /** As the older manager shows it. */
  readonly name: string
  readonly gitUrl: string | null
  /** Of its clone or of the folder that holds it, as it is written. */
  readonly directory: string | null
  readonly keyPath: string | null
  readonly port: number | null
  readonly password: string | null
  readonly model: string | null
  readonly description: string | null
  readonly worktrees: readonly string[]
  /** Process ids that it names. They mean nothing by themselves: another program may have them now. */
  readonly pids: readonly number[]
  readonly isRunning: boolean
  /** ISO 8601, UTC. */
  readonly createdAt: string | null
}

export const EMPTY: Omit<Claim, 'where' | 'shape' | 'name'> = {
  gitUrl: null,
  directory: null,
  keyPath: null,
  port: null,
  password: null,
  model: null,
  description: null,
  worktrees: [],
  pids: [],
  isRunning: false,
  createdAt: null,
}

export const PORT = z.number().int().min(1).max(65_535)
export const PID = z.number().int().min(1)
export const TEXT = z
  .string()
  .trim()
  .transform((text) => (text === '' ? null : text))

export type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One field; null where it is missing, null, or not what it should be, and the last is reported. */
export const field = <T>(
  fields: Fields,
  name: string,
  schema: z.ZodType<T>,
  findings: Findings,
  where: string,
): T | null => {
  const value = fields[name]
  if (value === undefined || value === null) return null
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  findings.warning(where, `${name} is not what it should be and is left out: ${z.prettifyError(parsed.error)}`)
  return null
}

/** Times of the first versions have no zone and mean UTC. */
export const TIME = z
  .string()
  .transform((text) => new Date(/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`))
  .refine((time) => !Number.isNaN(time.getTime()), 'is no time')
  .transform((time) => time.toISOString())

/** A secret that is one; a placeholder is reported and counts as none. */
export const realSecret = (value: string | null, name: string, where: string, findings: Findings): string | null => {
  if (value === null || !isPlaceholder(value)) return value
  findings.warning(where, `${name} is a placeholder and no secret; it is left out`)
  return null
}
