// Whether the remote has the very files of a directory: publishing commits them there and leaves the directory as it is.

import path from 'node:path'
import { EMPTY_TREE } from '../clones/scratch.ts'
import type { GitOptions } from '../command/run.ts'
import { type GitPlace, readHead } from '../untrusted/git-directory.ts'
import { openOwnRepository } from '../untrusted/isolated-repository.ts'
import { AS_THEY_ARE, writeWorkTree } from './commit-work.ts'
import { hasWork } from './submodules.ts'
import { submodulesOf } from './work-state.ts'

export type PublishedRequest = {
  readonly directory: string
  readonly place: GitPlace
  /** Objects that are read beside the checkout's own: those of the mirror, which are trusted. */
  readonly objectDirs: readonly string[]
  /** The tips of what the remote has. */
  readonly remoteTips: readonly string[]
  readonly signal?: AbortSignal
}

const TIMEOUT_MS = 60_000
/** Of what the remote has beside the directory's own commit. */
const NEWEST = 10_000

/**
 * Only commits beyond the directory’s own are looked at: what goes back behind it is work too.
 *
 * @throws SwitchyardError as `workState`
 */
export const isPublished = async (request: PublishedRequest): Promise<boolean> => {
  const { place, remoteTips, objectDirs } = request
  const directory = path.resolve(request.directory)
  const { commit: head } = await readHead(place)
  const own = await openOwnRepository({
    objectDirs: [...objectDirs, path.join(place.commonDir, 'objects')],
    workTree: directory,
    isSha256: (head ?? remoteTips[0])?.length === 64,
  })
  const options: GitOptions = {
    timeoutMs: TIMEOUT_MS,
    config: AS_THEY_ARE,
    ...(request.signal ? { signal: request.signal } : {}),
  }
  try {
    const { tree, leftOut, isTruncated } = await writeWorkTree(own, directory, head ?? EMPTY_TREE, options)
    if (leftOut.length > 0 || isTruncated) return false
    // Of a submodule a commit names a commit, and nothing that is in it.
    const published = head !== undefined && remoteTips.includes(head) ? head : undefined
    const superproject = { own, directory, place, commit: head ?? EMPTY_TREE, published }
    if ((await submodulesOf(superproject, options)).some(hasWork)) return false
    const { stdout } = await own.git(['log', '--format=%T', `--max-count=${NEWEST}`, '--ignore-missing', '--stdin'], {
      ...options,
      input: [...remoteTips, ...(head ? [`^${head}`] : [])].map((line) => `${line}\n`).join(''),
    })
    return stdout.toString('utf8').split('\n').includes(tree)
  } finally {
    await own.close()
  }
}
