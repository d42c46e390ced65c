// Makes a commit of all that a working directory holds, in a repository of our own: no ref or index of the directory's
// repository moves, and nothing that it configures has a part in it.

import { SwitchyardError } from '@switchyard/contracts'
import { type Entered, enterFiles } from '../changes/fill-index.ts'
import { ALL } from '../changes/untracked.ts'
import type { GitOptions } from '../command/run.ts'
import type { OwnRepository } from '../untrusted/isolated-repository.ts'

export type WorkTree = {
  readonly tree: string
  /** Files over the limit: new ones are not in the tree, changed ones are as they were. */
  readonly leftOut: readonly string[]
  /** There are more files than are taken. */
  readonly isTruncated: boolean
}

/** A file over this size is no work of an agent's hands; it is left out. */
const MAX_FILE_BYTES = 512 * 1_048_576

/** What is set for every commit: the files as they are. */
export const AS_THEY_ARE: readonly string[] = ['core.autocrlf=false', 'core.safecrlf=false']

export const lineOf = async (own: OwnRepository, args: readonly string[], options: GitOptions): Promise<string> =>
  (await own.git(args, options)).stdout.toString('utf8').trim()

/** @param begun - commit or tree that most of the files are from */
export const writeWorkTree = async (
  own: OwnRepository,
  directory: string,
  begun: string,
  options: GitOptions,
  entered: Entered = {},
): Promise<WorkTree> => {
  const { names, big, isTruncated } = await enterFiles(own, directory, begun, MAX_FILE_BYTES, options, entered)
  await own.git(['update-index', '--ignore-submodules', '--add', '--remove', '-z', '--stdin'], {
    ...options,
    input: names.map((name) => `${name}\0`).join(''),
  })
  return { tree: await lineOf(own, ['write-tree'], options), leftOut: big.map((file) => file.path), isTruncated }
}

/** Of names in a message. */
const NAMED = 5

/**
 * As `writeWorkTree`, of all the files that there are: for a directory that goes.
 *
 * @param asFiles - submodules whose files are in it, in the place of what `begun` names
 * @returns the tree
 * @throws SwitchyardError `payload_too_large` where a file is over 512 MiB: what is left is not whole
 */
export const writeWholeWorkTree = async (
  own: OwnRepository,
  directory: string,
  begun: string,
  options: GitOptions,
  asFiles: readonly string[],
): Promise<string> => {
  const entered = { limits: ALL, asFiles }
  const { tree, leftOut, isTruncated } = await writeWorkTree(own, directory, begun, options, entered)
  if (leftOut.length === 0 && !isTruncated) return tree
  const more = leftOut.length > NAMED ? ` and ${leftOut.length - NAMED} more` : ''
  const what = isTruncated
    ? 'more files than a bundle takes'
    : `files over 512 MiB, which no bundle takes: ${leftOut.slice(0, NAMED).join(', ')}${more}`
  throw new SwitchyardError('payload_too_large', `${directory} holds ${what}`, {
    hint: 'Move them out of the directory, or delete them, and call again. Nothing was deleted.',
  })
}

export const isCommit = async (own: OwnRepository, name: string, options: GitOptions): Promise<boolean> =>
  (await own.git(['cat-file', '-e', `${name}^{commit}`], { ...options, okCodes: [0, 1, 128] })).code === 0
