// JSON objects of unknown shape.

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

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

/** Merges objects recursively. Any other value of `over` replaces that of `under`. */
export const merge = (under: JsonObject, over: JsonObject): JsonObject => {
  const keys = new Set([...Object.keys(under), ...Object.keys(over)])
  return Object.fromEntries(
    [...keys].map((key) => {
      const [before, after] = [under[key], over[key]]
      if (!(key in over)) return [key, before]
      return [key, isObject(before) && isObject(after) ? merge(before, after) : after]
    }),
  )
}
