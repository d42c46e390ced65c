// Makes a commit of all that a working directory holds, in a repository of our own: no ref or index of the directory's
// repository moves, and nothing that it configures has a part in it.

import { enterFiles } from './changed-files.ts'
import type { OwnRepository } from './own-repository.ts'
import type { GitOptions } from './run.ts'

export type WorkTree = {
  readonly tree: string
  /** Files over the limit: new ones are not in the tree, changed ones are as they were. */
  readonly leftOut: readonly string[]
  /** There are more untracked files than are taken. */
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
): Promise<WorkTree> => {
  const { names, big, isTruncated } = await enterFiles(own, directory, begun, MAX_FILE_BYTES, options)
  await own.git(['update-index', '--ignore-submodules', '--add', '--remove', '-z', '--stdin'], {
    ...options,
    input: names.map((name) => `${name}\0`).join(''),
  })
  return { tree: await lineOf(own, ['write-tree'], options), leftOut: big.map((file) => file.path), isTruncated }
}

export const isCommit = async (own: OwnRepository, name: string, options: GitOptions): Promise<boolean> =>
  (await own.git(['cat-file', '-e', `${name}^{commit}`], { ...options, okCodes: [0, 1, 128] })).code === 0
