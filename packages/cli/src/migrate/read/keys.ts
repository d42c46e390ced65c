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

/** OpenSSH's own format begins so; the name of the cipher is next, behind its length. */
const MAGIC = 'openssh-key-v1\0'
const NO_CIPHER = '\0\0\0\u0004none'

const isEncrypted = (key: string): boolean => {
  const [, base64] = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END/.exec(key) ?? []
  if (base64 === undefined) return /ENCRYPTED/.test(key)
  const decoded = Buffer.from(base64, 'base64').toString('latin1')
  return decoded.startsWith(MAGIC) && !decoded.startsWith(NO_CIPHER, MAGIC.length)
}

/** @returns what keeps it from being used; null: nothing. */
const whyNot = async (place: string): Promise<string | null> => {
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const found = await file.stat()
    if (!found.isFile() || found.size > MAX_BYTES) return 'is no private key'
    const key = await file.readFile('utf8')
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) return 'is no private key'
    return isEncrypted(key) ? 'has a passphrase, which nobody can enter' : null
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
  const why = await whyNot(place.path).catch(() => 'cannot be read')
  if (why !== null) {
    findings.warning(where, `its key ${given} ${why}; Switchyard will make a new one`)
    return null
  }
  const mode = (await lstat(place.path)).mode & 0o077
  if (place.isOutside && mode !== 0)
    findings.warning(where, `its key ${given} can be read by others; chmod 600 it, or it will be refused`)
  return { path: place.path, isOutside: place.isOutside }
}
