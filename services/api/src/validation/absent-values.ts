// What callers send for an argument that they leave out: models in strict mode send every optional argument, as null or
// as an empty text.

import { z } from 'zod'

const accepts = (schema: z.core.$ZodType, value: unknown): boolean => z.safeParse(schema, value).success

/** Whether the value stands for no value. Where null itself has a meaning, both null and '' keep theirs. */
const isAbsent = (schema: z.core.$ZodType, value: unknown): boolean =>
  (value === null || value === '') && accepts(schema, undefined) && !accepts(schema, null)

/** Returns the schema without the parts that say whether the value may be missing. */
const contentOf = (schema: z.core.$ZodType): z.core.$ZodType => {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return contentOf(schema.def.innerType)
  return schema instanceof z.ZodPipe ? contentOf(schema.def.in) : schema
}

/**
 * Returns the value without the optional fields that are null or an empty text, at every level that the schema describes.
 * Fields that may be null, required fields, and content that the schema does not describe stay as they are.
 */
export const dropAbsentValues = (schema: z.core.$ZodType, value: unknown): unknown => {
  const content = contentOf(schema)
  if (Array.isArray(value))
    return content instanceof z.ZodArray ? value.map((item) => dropAbsentValues(content.def.element, item)) : value
  if (!(content instanceof z.ZodObject) || typeof value !== 'object' || value === null) return value
  const shape: Readonly<Record<string, z.core.$ZodType>> = content.def.shape
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, field]) => {
      const fieldSchema = Object.hasOwn(shape, key) ? shape[key] : undefined
      if (!fieldSchema) return [[key, field]]
      return isAbsent(fieldSchema, field) ? [] : [[key, dropAbsentValues(fieldSchema, field)]]
    }),
  )
}
