// The JSON Schemas in `tools/list`. Every client loads them into a model's context, and each model provider accepts its own
// part of JSON Schema only: they say what a caller needs, in the words that all providers accept.

import { isObject, type JsonObject } from '@switchyard/contracts'
import { z } from 'zod'

export type ObjectSchema = { readonly type: 'object'; readonly [key: string]: unknown }

/** A longer list of values is in the documentation, not in every schema: the error codes. */
const MAX_VALUES = 20

const isUnlimited = (key: string, value: unknown): boolean =>
  (key === 'minimum' && value === Number.MIN_SAFE_INTEGER) || (key === 'maximum' && value === Number.MAX_SAFE_INTEGER)

/** Returns whether a keyword adds nothing for a caller, or is unknown to a provider. */
const isLeftOut = (key: string, value: unknown, { format }: JsonObject): boolean => {
  switch (key) {
    case '$schema':
    case 'propertyNames':
    case 'minLength':
    case 'maxLength':
      return true
    case 'pattern':
      return format === 'date-time'
    case 'format':
      return value !== 'date-time'
    case 'enum':
      return Array.isArray(value) && value.length > MAX_VALUES
    default:
      return isUnlimited(key, value)
  }
}

/** Gemini knows `enum` but not `const`. */
const withEnum = ({ const: value, ...rest }: JsonObject): JsonObject => ({ ...rest, enum: [value] })

const simplify = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(simplify)
  if (!isObject(node)) return node
  const named = 'const' in node ? withEnum(node) : node
  return Object.fromEntries(
    Object.entries(named).flatMap(([key, value]) => {
      if (key === 'properties' && isObject(value))
        return [[key, Object.fromEntries(Object.entries(value).map(([name, field]) => [name, simplify(field)]))]]
      return isLeftOut(key, value, named) ? [] : [[key, simplify(value)]]
    }),
  )
}

/** Returns the schema of a tool's arguments. An unknown argument is an error. */
export const inputSchema = (schema: z.ZodObject): ObjectSchema => ({
  ...(simplify(z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input', unrepresentable: 'any' })) as JsonObject),
  type: 'object',
})

/** Types by the names of JSON Schema; a field that may be null has two. */
const typesOf = (field: unknown): readonly unknown[] => {
  if (!isObject(field)) return []
  if (Array.isArray(field.anyOf)) return field.anyOf.flatMap(typesOf)
  return Array.isArray(field.type) ? field.type : field.type === undefined ? [] : [field.type]
}

/** Returns the field without its description and what is inside it. */
const outline = (field: unknown): JsonObject => {
  const types = [...new Set(typesOf(field))]
  return types.length === 0 ? {} : { type: types.length === 1 ? types[0] : types }
}

/**
 * Returns the outline of a tool's result: its fields and their types. The result itself shows the rest, and a later version
 * may add fields.
 */
export const outputSchema = (schema: z.ZodObject): ObjectSchema => {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' })
  const fields = Object.entries(properties).map(([name, field]) => [name, outline(field)])
  return { type: 'object', properties: Object.fromEntries(fields) }
}
