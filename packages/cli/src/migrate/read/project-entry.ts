// One project as one of the older manager's files describes it, and the schemas and functions that
// read its fields. merge-entries.ts combines the entries of several files.

import { isPlaceholder, type JsonObject } from '@switchyard/contracts'
import { z } from 'zod'
import type { Diagnostics } from '../diagnostics.ts'

/**
 * The format of an entry. `v1.0`, `v1.1`, `v2`: versions of the state file. `config-1`, `config-2`:
 * versions of the server list. `folder`: a folder below opencode-sandboxes.
 */
export type Shape = 'v1.0' | 'v1.1' | 'v2' | 'config-1' | 'config-2' | 'folder'

export type ProjectEntry = {
  /** The file, and the entry in it. */
  readonly where: string
  readonly shape: Shape
  /** The name that the older manager shows. */
  readonly name: string
  readonly gitUrl: string | null
  /** The directory of the clone, or of the folder that contains it, as the file has it. */
  readonly directory: string | null
  readonly keyPath: string | null
  readonly port: number | null
  readonly password: string | null
  readonly model: string | null
  readonly description: string | null
  readonly worktrees: readonly string[]
  /** Process ids in the file. Other programs may have them by now. */
  readonly pids: readonly number[]
  readonly isRunning: boolean
  /** ISO 8601, UTC. */
  readonly createdAt: string | null
}

export const EMPTY_ENTRY: Omit<ProjectEntry, 'where' | 'shape' | 'name'> = {
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

/**
 * Returns one field, or null if it is missing or null. Reports an invalid value and returns
 * null for it too.
 */
export const readField = <T>(
  fields: JsonObject,
  name: string,
  schema: z.ZodType<T>,
  diagnostics: Diagnostics,
  where: string,
): T | null => {
  const value = fields[name]
  if (value === undefined || value === null) return null
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  diagnostics.warning(where, `${name} is invalid and ignored: ${z.prettifyError(parsed.error)}`)
  return null
}

/** The first versions wrote times without a zone, in UTC. */
export const TIME = z
  .string()
  .transform((text) => new Date(/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`))
  .refine((time) => !Number.isNaN(time.getTime()), 'is not a time')
  .transform((time) => time.toISOString())

/** Returns a secret, or null for a placeholder, which is reported. */
export const rejectPlaceholder = (
  value: string | null,
  name: string,
  where: string,
  diagnostics: Diagnostics,
): string | null => {
  if (value === null || !isPlaceholder(value)) return value
  diagnostics.warning(where, `${name} is a placeholder, not a secret; it is ignored`)
  return null
}
