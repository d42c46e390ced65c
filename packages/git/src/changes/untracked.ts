// Lists the files of a working directory that git neither tracks nor ignores, including those in nested repositories.

import path from 'node:path'
import { type GitOptions, MAX_TEXT_BYTES } from '../command/run.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'

export type ListLimits = {
  readonly names: number
  readonly bytes: number
  /** How many nested repositories are listed. */
  readonly nested: number
}

/** As much as can be displayed. Allows for a task that clones a few other projects into its directory. */
export const DISPLAY_LIMITS: ListLimits = { names: 10_000, bytes: 4 * 1_048_576, nested: 20 }
/** For work that must not be lost. */
export const NO_LIMITS: ListLimits = { names: 50_000_000, bytes: MAX_TEXT_BYTES, nested: 1_000_000 }

export type Untracked = { readonly names: readonly string[]; readonly isTruncated: boolean }

/**
 * Lists untracked files, relative to the directory. Of a nested repository only the files are read.
 *
 * @param from - where to look: the empty string for the directory itself, or nested repositories with a trailing slash
 * @param limits - names beyond the limits are left out, and `isTruncated` is true
 */
export const findUntracked = async (
  isolated: IsolatedRepository,
  directory: string,
  options: GitOptions,
  from: readonly string[] = [''],
  limits: ListLimits = DISPLAY_LIMITS,
): Promise<Untracked> => {
  const names: string[] = []
  const nested = [...from]
  let isTruncated = false
  for (let at = 0; at < nested.length; at += 1) {
    if (at > limits.nested || names.length > limits.names)
      return { names: names.slice(0, limits.names), isTruncated: true }
    const prefix = nested[at] ?? ''
    const cwd = path.join(directory, prefix)
    const { stdout, truncated } = await isolated.git(['ls-files', '-z', '--others', '--exclude-standard'], {
      ...options,
      cwd,
      // Nothing in a nested repository is tracked here, so its index is a file that does not exist.
      env: prefix === '' ? {} : { GIT_WORK_TREE: cwd, GIT_INDEX_FILE: path.join(isolated.directory, 'no-index') },
      maxBytes: limits.bytes,
    })
    isTruncated ||= truncated
    for (const name of stdout.toString('utf8').split('\0').slice(0, -1))
      if (name.endsWith('/')) nested.push(`${prefix}${name}`)
      else names.push(`${prefix}${name}`)
  }
  return { names: names.slice(0, limits.names), isTruncated: isTruncated || names.length > limits.names }
}
