// Checks whether the remote has the files of a directory. Publishing commits them there and leaves the directory as it
// is, so they still count as uncommitted.

import path from 'node:path'
import { EMPTY_TREE } from '../clones/scratch.ts'
import type { GitOptions } from '../command/run.ts'
import type { GitDirectory } from '../untrusted/git-directory.ts'
import { openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readHead } from '../untrusted/refs.ts'
import { NO_LINE_END_CONVERSION, writeWorkTree } from './commit-work.ts'
import { hasWork } from './submodules.ts'
import { submodulesOf } from './work-state.ts'

export type IsPublishedRequest = {
  readonly directory: string
  readonly gitDirectory: GitDirectory
  /** More object directories to read from: those of the mirror, which are trusted. */
  readonly objectDirs: readonly string[]
  /** The tips of the remote's branches and tags. */
  readonly remoteTips: readonly string[]
  readonly signal?: AbortSignal
}

const TIMEOUT_MS = 60_000
/** How many of the remote's commits are compared, newest first. */
const MAX_COMMITS = 10_000

/**
 * Returns true when a commit of the remote has the same files as the directory. Only commits after the directory's HEAD
 * count: to go back to an older state is work too.
 *
 * @throws SwitchyardError as `workState`
 */
export const isPublished = async (request: IsPublishedRequest): Promise<boolean> => {
  const { gitDirectory, remoteTips, objectDirs } = request
  const directory = path.resolve(request.directory)
  const { commit: head } = await readHead(gitDirectory)
  const isolated = await openIsolatedRepository({
    objectDirs: [...objectDirs, path.join(gitDirectory.commonDir, 'objects')],
    workTree: directory,
    isSha256: (head ?? remoteTips[0])?.length === 64,
  })
  const options: GitOptions = {
    timeoutMs: TIMEOUT_MS,
    config: NO_LINE_END_CONVERSION,
    ...(request.signal ? { signal: request.signal } : {}),
  }
  try {
    const { tree, leftOut, isTruncated } = await writeWorkTree(isolated, directory, head ?? EMPTY_TREE, options)
    if (leftOut.length > 0 || isTruncated) return false
    // The tree does not contain the files of submodules, only the ids of commits.
    const published = head !== undefined && remoteTips.includes(head) ? head : undefined
    const superproject = { isolated, directory, gitDirectory, commit: head ?? EMPTY_TREE, published }
    if ((await submodulesOf(superproject, options)).some(hasWork)) return false
    const { stdout } = await isolated.git(
      ['log', '--format=%T', `--max-count=${MAX_COMMITS}`, '--ignore-missing', '--stdin'],
      { ...options, input: [...remoteTips, ...(head ? [`^${head}`] : [])].map((line) => `${line}\n`).join('') },
    )
    return stdout.toString('utf8').split('\n').includes(tree)
  } finally {
    await isolated.close()
  }
}
