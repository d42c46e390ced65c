// Finds the deploy key of an entry: opencode-keys/<name>-deploy, or the path that the entry names.

import { constants, lstat, open } from 'node:fs/promises'
import path from 'node:path'
import type { Diagnostics } from '../diagnostics.ts'
import type { LegacyFiles } from './legacy-files.ts'
import type { MergedEntry } from './merge-entries.ts'

export const KEYS = 'opencode-keys'

export type LegacyKey = {
  readonly path: string
  /**
   * A key outside the tree is the operator's own and is used where it is. A key of the tree is
   * copied.
   */
  readonly isOutside: boolean
}

const MAX_BYTES = 65_536

/** Start of OpenSSH's key format. The length and name of the cipher follow. */
const MAGIC = 'openssh-key-v1\0'
const NO_CIPHER = '\0\0\0\u0004none'

const isEncrypted = (key: string): boolean => {
  const [, base64] = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END/.exec(key) ?? []
  if (base64 === undefined) return /ENCRYPTED/.test(key)
  const decoded = Buffer.from(base64, 'base64').toString('latin1')
  return decoded.startsWith(MAGIC) && !decoded.startsWith(NO_CIPHER, MAGIC.length)
}

/** Returns why a file cannot be used as a deploy key, or null if it can. */
const findKeyProblem = async (target: string): Promise<string | null> => {
  const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const found = await file.stat()
    if (!found.isFile() || found.size > MAX_BYTES) return 'is not a private key'
    const key = await file.readFile('utf8')
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) return 'is not a private key'
    return isEncrypted(key) ? 'has a passphrase, so ssh cannot use it unattended' : null
  } finally {
    await file.close()
  }
}

/** Finds the key file that is named after an entry, ignoring case. */
const findKeyFile = async (files: LegacyFiles, name: string): Promise<string | null> => {
  const wanted = `${name}-deploy`.toLowerCase()
  const found = (await files.list(KEYS)).find((entry) => entry.toLowerCase() === wanted)
  return found === undefined ? null : path.join(KEYS, found)
}

/**
 * Finds the deploy key of an entry. Returns null if it has none, or after reporting why it cannot
 * be used.
 */
export const findKey = async (
  files: LegacyFiles,
  entry: MergedEntry,
  diagnostics: Diagnostics,
): Promise<LegacyKey | null> => {
  const [where = entry.name] = entry.sources
  const given = entry.keyPath ?? (await findKeyFile(files, entry.name))
  if (given === null) return null
  const found = await files.find(given, where)
  if (found === null) {
    diagnostics.warning(where, `its key ${given} does not exist; Switchyard will generate a new one`)
    return null
  }
  const problem = await findKeyProblem(found.path).catch(() => 'cannot be read')
  if (problem !== null) {
    diagnostics.warning(where, `its key ${given} ${problem}; Switchyard will generate a new one`)
    return null
  }
  const mode = (await lstat(found.path)).mode & 0o077
  if (found.isOutside && mode !== 0)
    diagnostics.warning(where, `other users can read its key ${given}, so ssh will reject it: run chmod 600 on it`)
  return { path: found.path, isOutside: found.isOutside }
}
