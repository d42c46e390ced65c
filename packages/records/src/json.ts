// JSON that Postgres takes: jsonb and text hold neither NUL nor half of a surrogate pair.

/** A string as Postgres can store it. */
export const storable = (text: string): string => text.toWellFormed().replaceAll('\u0000', '')

const clean = (value: unknown): unknown => {
  if (typeof value === 'string') return storable(value)
  if (Array.isArray(value)) return value.map(clean)
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storable(key), clean(inner)]))
  return value
}

/** Serialises for a jsonb parameter. */
export const toJson = (value: unknown): string => JSON.stringify(clean(value)) ?? 'null'
