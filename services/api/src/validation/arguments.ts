// Checks a value against a schema, with an error that names every field that is wrong.

import { type FieldError, SwitchyardError } from '@switchyard/contracts'
import type { z } from 'zod'

const dotted = (path: readonly PropertyKey[]): string => path.map(String).join('.')

const fieldErrors = (error: z.ZodError): readonly FieldError[] =>
  error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: dotted([...issue.path, key]), message: 'is not known here' }))
      : [{ path: dotted(issue.path), message: issue.message }],
  )

/** A zod failure as `invalid_request`, its fields in the message and, one by one, in the context. */
export const invalidArguments = (error: z.ZodError): SwitchyardError => {
  const errors = fieldErrors(error)
  const message = errors.map((field) => (field.path ? `${field.path}: ${field.message}` : field.message)).join('; ')
  return new SwitchyardError('invalid_request', message, { context: { errors } })
}

/** @throws SwitchyardError `invalid_request` */
export const checkArguments = <S extends z.ZodType>(schema: S, value: unknown): z.output<S> => {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw invalidArguments(parsed.error)
  return parsed.data
}
