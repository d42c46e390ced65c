import { isObject, type JsonObject } from '@switchyard/contracts'

/** Returns the object that a text is as JSON, or undefined for any other text. */
export const parseObject = (text: string): JsonObject | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
