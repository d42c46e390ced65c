// OpenCode's stored logins (`opencode auth login`), which are keys or OAuth tokens of providers.

import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isObject, type JsonObject } from '@switchyard/contracts'
import { objectAt, textAt } from './json.ts'

export type Login = {
  readonly key: string
  /** Such as `resourceName` of Azure or `accountId` of Cloudflare. */
  readonly metadata: Readonly<Record<string, string>>
}

export type Logins = {
  readonly keys: ReadonlyMap<string, Login>
  /** Providers with an OAuth login, which only OpenCode can use and renew. */
  readonly oauth: readonly string[]
}

/** @param value - the content of an `auth.json`. */
export const parseLogins = (value: unknown): Logins => {
  const keys = new Map<string, Login>()
  const oauth: string[] = []
  for (const [id, entry] of Object.entries(isObject(value) ? value : {})) {
    if (!isObject(entry)) continue
    const key = textAt(entry, 'key')
    if (entry.type === 'api' && key !== undefined) keys.set(id, { key, metadata: metadataOf(entry) })
    else if (entry.type === 'oauth') oauth.push(id)
  }
  return { keys, oauth }
}

const metadataOf = (entry: JsonObject): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(objectAt(entry, 'metadata')).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  )

const readObject = async (file: string): Promise<JsonObject> => {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

/** A reader never sees a half-written file, and only the owner can read it. */
const writeObject = async (file: string, value: JsonObject): Promise<void> => {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const temporary = `${file}.${randomUUID()}`
  await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  await rename(temporary, file)
}

/**
 * Moves the keys of OpenCode's logins into a file that OpenCode does not read. OAuth logins stay where they are.
 *
 * @param from - OpenCode's `auth.json`.
 * @param to - the gateway's file. A newer login replaces an older one.
 * @returns all logins: those that were moved now or before, and the OAuth logins that stay.
 */
export const moveLogins = async (from: string, to: string): Promise<Logins & { readonly moved: readonly string[] }> => {
  const [current, stored] = await Promise.all([readObject(from), readObject(to)])
  const { keys, oauth } = parseLogins(current)
  const moved = [...keys.keys()]
  const all = { ...stored, ...Object.fromEntries(moved.map((id) => [id, current[id]])) }
  if (moved.length > 0) {
    await writeObject(to, all)
    await writeObject(from, Object.fromEntries(Object.entries(current).filter(([id]) => !keys.has(id))))
  }
  return { keys: parseLogins(all).keys, oauth, moved }
}
