// Stores the URL of a mirror in the mirror, so that the mirrors on disk can be listed without a database.

import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, type RepositoryIdentity } from '../identity/identity.ts'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'

const URL_FILE = 'switchyard-url'
const SUFFIX = '.git'

export const mirrorDirectory = (mirrorsDir: string, { slug }: RepositoryIdentity): string =>
  path.join(mirrorsDir, `${slug}${SUFFIX}`)

/** Writes the repository's URL, which contains no credentials, to its mirror. */
export const writeMirrorUrl = async (mirror: string, { displayUrl }: RepositoryIdentity): Promise<void> => {
  await writeFile(path.join(mirror, URL_FILE), `${displayUrl}\n`)
}

const identityOf = (url: string): RepositoryIdentity | undefined => {
  try {
    return parseRepositoryUrl(url)
  } catch (error) {
    if (isSwitchyardError(error)) return undefined
    throw error
  }
}

/** Returns the repositories that have a mirror. One whose first fetch did not finish is left out. */
export const listMirrors = async (mirrorsDir: string): Promise<readonly RepositoryIdentity[]> => {
  const found: RepositoryIdentity[] = []
  for (const name of await readdir(mirrorsDir).catch(() => [])) {
    if (!name.endsWith(SUFFIX)) continue
    const identity = identityOf((await readUntrustedFile(path.join(mirrorsDir, name, URL_FILE))).trim())
    if (identity && `${identity.slug}${SUFFIX}` === name) found.push(identity)
  }
  return found
}
