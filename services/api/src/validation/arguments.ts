// Checks arguments against a schema, with an error that names every invalid field.

import { type FieldError, SwitchyardError } from '@switchyard/contracts'
import type { z } from 'zod'
import { dropAbsentValues } from './absent-values.ts'

const dotted = (path: readonly PropertyKey[]): string => path.map(String).join('.')

/** Returns zod's message in plain words: "is required", "must be a number". */
const plainMessage = (message: string): string => {
  const [, expected, received] = /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? []
  if (expected === undefined) return message
  if (received === 'undefined') return 'is required'
  if (expected === 'int') return 'must be an integer'
  return `must be ${/^[aeio]/.test(expected) ? 'an' : 'a'} ${expected}`
}

const fieldErrors = (error: z.ZodError): readonly FieldError[] =>
  error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: dotted([...issue.path, key]), message: 'unknown field' }))
      : [{ path: dotted(issue.path), message: plainMessage(issue.message) }],
  )

/** Converts a zod error to `invalid_request`, with all invalid fields in the message and in the context. */
export const invalidArguments = (error: z.ZodError): SwitchyardError => {
  const errors = fieldErrors(error)
  const message = errors.map((field) => (field.path ? `${field.path}: ${field.message}` : field.message)).join('; ')
  return new SwitchyardError('invalid_request', message, { context: { errors } })
}

/** Returns the parsed value. An optional argument that is null counts as missing. @throws SwitchyardError `invalid_request` */
export const checkArguments = <S extends z.ZodType>(schema: S, value: unknown): z.output<S> => {
  const parsed = schema.safeParse(dropAbsentValues(schema, value))
  if (!parsed.success) throw invalidArguments(parsed.error)
  return parsed.data
}
