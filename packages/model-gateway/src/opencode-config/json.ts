// Reads fields of JSON objects of unknown shape.

import { isObject, type JsonObject } from '@switchyard/contracts'

export const objectAt = (value: unknown, key: string): JsonObject => {
  const found = isObject(value) ? value[key] : undefined
  return isObject(found) ? found : {}
}

/** Returns a string that is not empty. */
export const textAt = (value: JsonObject, key: string): string | undefined => {
  const found = value[key]
  return typeof found === 'string' && found !== '' ? found : undefined
}

export const listAt = (value: JsonObject, key: string): readonly string[] | undefined => {
  const found = value[key]
  return Array.isArray(found) ? found.filter((entry) => typeof entry === 'string') : undefined
}
