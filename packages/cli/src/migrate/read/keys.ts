// Deploy keys: opencode-keys/<name>-deploy, or the path that an entry names.

import { constants, lstat, open } from 'node:fs/promises'
import path from 'node:path'
import type { Findings } from '../findings.ts'
import type { LegacyFiles } from './files.ts'
import type { Merged } from './merge.ts'

export const KEYS = 'opencode-keys'

export type LegacyKey = {
  readonly path: string
  /** A key of the user's own, which stays where it is; one of the tree is copied. */
  readonly isOutside: boolean
}

const MAX_BYTES = 65_536

const isPrivateKey = async (place: string): Promise<boolean> => {
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const found = await file.stat()
    return (
      found.isFile() &&
      found.size <= MAX_BYTES &&
      /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(await file.readFile('utf8'))
    )
  } finally {
    await file.close()
  }
}

/** The key by its name, in whatever case it is written. */
const byName = async (files: LegacyFiles, name: string): Promise<string | null> => {
  const wanted = `${name}-deploy`.toLowerCase()
  const found = (await files.list(KEYS)).find((entry) => entry.toLowerCase() === wanted)
  return found === undefined ? null : path.join(KEYS, found)
}

/** The key of an entry; null where it has none that can be used, and why is reported. */
export const findKey = async (files: LegacyFiles, entry: Merged, findings: Findings): Promise<LegacyKey | null> => {
  const [where = entry.name] = entry.sources
  const named = entry.keyPath
  const given = named ?? (await byName(files, entry.name))
  if (given === null) return null
  const place = await files.find(given, where)
  if (place === null) {
    findings.warning(where, `its key ${given} is not there; Switchyard will make a new one`)
    return null
  }
  try {
    if (!(await isPrivateKey(place.path))) {
      findings.warning(where, `its key ${given} is no private key; Switchyard will make a new one`)
      return null
    }
  } catch {
    findings.warning(where, `its key ${given} cannot be read; Switchyard will make a new one`)
    return null
  }
  const mode = (await lstat(place.path)).mode & 0o077
  if (place.isOutside && mode !== 0)
    findings.warning(where, `its key ${given} can be read by others; chmod 600 it, or it will be refused`)
  return { path: place.path, isOutside: place.isOutside }
}
