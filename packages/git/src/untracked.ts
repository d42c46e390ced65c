// The files of a working directory that git does not track and does not ignore, those of nested repositories too.

import path from 'node:path'
import type { OwnRepository } from './own-repository.ts'
import type { GitOptions } from './run.ts'

const MAX_NAMES = 10_000
const MAX_BYTES = 4 * 1_048_576
/** Repositories inside of the directory that are looked into; a task that clones a few reference projects stays readable. */
const MAX_NESTED = 20

export type Untracked = { readonly names: readonly string[]; readonly isTruncated: boolean }

/**
 * Names are relative to the directory. Nothing of a nested repository but its files is read.
 *
 * @param from - where to look: the directory itself, or nested repositories in it, each with a slash at its end
 */
export const findUntracked = async (
  own: OwnRepository,
  directory: string,
  options: GitOptions,
  from: readonly string[] = [''],
): Promise<Untracked> => {
  const names: string[] = []
  const nested = [...from]
  let isTruncated = false
  for (let at = 0; at < nested.length; at += 1) {
    if (at > MAX_NESTED || names.length > MAX_NAMES) return { names: names.slice(0, MAX_NAMES), isTruncated: true }
    const prefix = nested[at] ?? ''
    const inside = path.join(directory, prefix)
    const { stdout, truncated } = await own.git(['ls-files', '-z', '--others', '--exclude-standard'], {
      ...options,
      cwd: inside,
      // Below the root nothing is tracked: an index that is not there.
      env: prefix === '' ? {} : { GIT_WORK_TREE: inside, GIT_INDEX_FILE: path.join(own.directory, 'no-index') },
      maxBytes: MAX_BYTES,
    })
    isTruncated ||= truncated
    for (const name of stdout.toString('utf8').split('\0').slice(0, -1))
      if (name.endsWith('/')) nested.push(`${prefix}${name}`)
      else names.push(`${prefix}${name}`)
  }
  return { names: names.slice(0, MAX_NAMES), isTruncated: isTruncated || names.length > MAX_NAMES }
}
