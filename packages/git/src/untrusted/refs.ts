// Reads HEAD, refs and stashes of a repository from their files.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { COMMIT, type GitDirectory } from './git-directory.ts'
import { readUntrustedFile } from './read-untrusted-file.ts'

const MAX_REFS = 20_000

export type Head = {
  /** Null when HEAD is detached. */
  readonly branch: string | null
  /** Undefined before the first commit, and when the ref does not contain a commit id. The commit may not exist. */
  readonly commit: string | undefined
}

/** Returns what is checked out in a working directory. */
export const readHead = async ({ gitDir, commonDir }: GitDirectory): Promise<Head> => {
  const text = (await readUntrustedFile(path.join(gitDir, 'HEAD'))).trim()
  const branch = /^ref: refs\/heads\/(\S+)$/.exec(text)?.[1]
  if (branch === undefined) return { branch: null, commit: COMMIT.test(text) ? text : undefined }
  const commit = await readRef(commonDir, `refs/heads/${branch}`)
  return { branch, commit: commit !== undefined && COMMIT.test(commit) ? commit : undefined }
}

/** Returns the content of a ref, which is a commit id unless somebody wrote something else there. */
export const readRef = async (commonDir: string, ref: string): Promise<string | undefined> => {
  if (ref.includes('..')) return undefined
  const loose = (await readUntrustedFile(path.join(commonDir, ref))).trim()
  if (loose) return loose
  return (await packedRefs(commonDir)).get(ref)
}

const packedRefs = async (commonDir: string): Promise<ReadonlyMap<string, string>> =>
  new Map(
    [
      ...(await readUntrustedFile(path.join(commonDir, 'packed-refs'))).matchAll(/^([0-9a-f]{40,64}) (refs\/\S+)$/gm),
    ].map(([, commit = '', ref = '']) => [ref, commit]),
  )

/** Returns the first 20,000 refs below a prefix such as `refs/heads/`, each with its commit. */
export const readRefs = async (commonDir: string, prefix: string): Promise<ReadonlyMap<string, string>> => {
  const refs = new Map([...(await packedRefs(commonDir))].filter(([ref]) => ref.startsWith(prefix)))
  const directories = [path.join(commonDir, prefix)]
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop())
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const file = path.join(directory, entry.name)
      if (entry.isDirectory()) directories.push(file)
      const commit = entry.isFile() ? (await readUntrustedFile(file)).trim() : ''
      if (COMMIT.test(commit)) refs.set(path.relative(commonDir, file), commit)
      if (refs.size > MAX_REFS) return refs
    }
  return refs
}

/** Returns the commits of the stash, newest first. */
export const readStashes = async (commonDir: string): Promise<readonly string[]> =>
  (await readUntrustedFile(path.join(commonDir, 'logs', 'refs', 'stash')))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((commit) => COMMIT.test(commit))
    .toReversed()
