// The files of a working directory that git does not track and does not ignore, those of nested repositories too.

import path from 'node:path'
import { type GitOptions, MAX_TEXT_BYTES } from '../command/run.ts'
import type { OwnRepository } from '../untrusted/isolated-repository.ts'

/** How much of a directory is listed. */
export type ListLimits = {
  readonly names: number
  readonly bytes: number
  /** Repositories inside of the directory that are looked into. */
  readonly nested: number
}

/** What can be shown; a task that clones a few reference projects stays readable. */
export const SHOWN: ListLimits = { names: 10_000, bytes: 4 * 1_048_576, nested: 20 }
/** For what must not be lost. */
export const ALL: ListLimits = { names: 50_000_000, bytes: MAX_TEXT_BYTES, nested: 1_000_000 }

export type Untracked = { readonly names: readonly string[]; readonly isTruncated: boolean }

/**
 * Names are relative to the directory. Nothing of a nested repository but its files is read.
 *
 * @param from - where to look: the directory itself, or nested repositories in it, each with a slash at its end
 * @param limits - what is beyond them is left out, and `isTruncated` says so
 */
export const findUntracked = async (
  own: OwnRepository,
  directory: string,
  options: GitOptions,
  from: readonly string[] = [''],
  limits: ListLimits = SHOWN,
): Promise<Untracked> => {
  const names: string[] = []
  const nested = [...from]
  let isTruncated = false
  for (let at = 0; at < nested.length; at += 1) {
    if (at > limits.nested || names.length > limits.names)
      return { names: names.slice(0, limits.names), isTruncated: true }
    const prefix = nested[at] ?? ''
    const inside = path.join(directory, prefix)
    const { stdout, truncated } = await own.git(['ls-files', '-z', '--others', '--exclude-standard'], {
      ...options,
      cwd: inside,
      // Below the root nothing is tracked: an index that is not there.
      env: prefix === '' ? {} : { GIT_WORK_TREE: inside, GIT_INDEX_FILE: path.join(own.directory, 'no-index') },
      maxBytes: limits.bytes,
    })
    isTruncated ||= truncated
    for (const name of stdout.toString('utf8').split('\0').slice(0, -1))
      if (name.endsWith('/')) nested.push(`${prefix}${name}`)
      else names.push(`${prefix}${name}`)
  }
  return { names: names.slice(0, limits.names), isTruncated: isTruncated || names.length > limits.names }
}
