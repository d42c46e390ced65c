// JSON objects of unknown shape.

export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Merges objects recursively. Any other value of `over` replaces that of `under`. */
export const mergeObjects = (under: JsonObject, over: JsonObject): JsonObject => {
  const keys = new Set([...Object.keys(under), ...Object.keys(over)])
  return Object.fromEntries(
    [...keys].map((key) => {
      const [before, after] = [under[key], over[key]]
      if (!(key in over)) return [key, before]
      return [key, isObject(before) && isObject(after) ? mergeObjects(before, after) : after]
    }),
  )
}
