// Writes the files of a working directory as a tree, in an isolated repository. The directory's own refs and index stay
// as they are, and nothing that it configures has any effect.

import { SwitchyardError } from '@switchyard/contracts'
import { type FillOptions, fillIndex } from '../changes/fill-index.ts'
import { NO_LIMITS } from '../changes/untracked.ts'
import type { GitOptions } from '../command/run.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'

export type WorkTree = {
  readonly tree: string
  /** Files over 512 MiB. New ones are not in the tree; changed ones are in it with their former content. */
  readonly leftOut: readonly string[]
  /** True when there are more files than the limits allow. */
  readonly isTruncated: boolean
}

/** Larger files are hardly ever source files; they are left out. */
const MAX_FILE_BYTES = 512 * 1_048_576

/** Settings for a commit that stores files byte by byte. */
export const NO_LINE_END_CONVERSION: readonly string[] = ['core.autocrlf=false', 'core.safecrlf=false']

/**
 * Writes the tree of a directory's files, without ignored ones.
 *
 * @param base - a commit or tree that has most of the files
 */
export const writeWorkTree = async (
  isolated: IsolatedRepository,
  directory: string,
  base: string,
  options: GitOptions,
  fillOptions: FillOptions = {},
): Promise<WorkTree> => {
  const { names, big, isTruncated } = await fillIndex(isolated, directory, base, MAX_FILE_BYTES, options, fillOptions)
  await isolated.git(['update-index', '--ignore-submodules', '--add', '--remove', '-z', '--stdin'], {
    ...options,
    input: names.map((name) => `${name}\0`).join(''),
  })
  return { tree: await isolated.line(['write-tree'], options), leftOut: big.map((file) => file.path), isTruncated }
}

/** How many names an error message lists. */
const MAX_NAMES = 5

/**
 * Writes the tree of all files, for a directory that will be removed.
 *
 * @param asFiles - submodules whose files are in the tree, instead of the commits that `base` names
 * @returns the tree
 * @throws SwitchyardError `payload_too_large` when a file is over 512 MiB, so the tree would not be complete
 */
export const writeWholeWorkTree = async (
  isolated: IsolatedRepository,
  directory: string,
  base: string,
  options: GitOptions,
  asFiles: readonly string[],
): Promise<string> => {
  const fillOptions = { limits: NO_LIMITS, asFiles }
  const { tree, leftOut, isTruncated } = await writeWorkTree(isolated, directory, base, options, fillOptions)
  if (leftOut.length === 0 && !isTruncated) return tree
  const more = leftOut.length > MAX_NAMES ? ` and ${leftOut.length - MAX_NAMES} more` : ''
  const what = isTruncated
    ? 'more files than a bundle can contain'
    : `files over 512 MiB, which a bundle cannot contain: ${leftOut.slice(0, MAX_NAMES).join(', ')}${more}`
  throw new SwitchyardError('payload_too_large', `${directory} has ${what}`, {
    hint: 'Move the files out of the directory or delete them, and call again. Nothing was deleted.',
  })
}

/** Returns true when the repository has a commit of that name. */
export const isCommit = async (isolated: IsolatedRepository, name: string, options: GitOptions): Promise<boolean> =>
  (await isolated.git(['cat-file', '-e', `${name}^{commit}`], { ...options, okCodes: [0, 1, 128] })).code === 0
