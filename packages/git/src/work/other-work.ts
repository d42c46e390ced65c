// Finds the work in a repository that HEAD does not reach: other branches, tags and stashes. It is lost with the directory
// when the repository belongs to that directory alone.

import type { GitOptions } from '../command/run.ts'
import type { GitDirectory } from '../untrusted/git-directory.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readRefs, readStashes } from '../untrusted/refs.ts'
import { SWITCHYARD_REFS } from '../untrusted/switchyard-refs.ts'

export type OtherWorkRequest = {
  readonly isolated: IsolatedRepository
  readonly gitDirectory: GitDirectory | undefined
  /** Commits that are safe, with all their ancestors: those of the remote, and HEAD where it is saved too. */
  readonly safe: readonly string[]
}

/**
 * Returns the branches and tags that reach commits which are not safe, under their own names, and stashes as
 * `refs/switchyard/stash/<n>`. Refs whose commits are missing are left out.
 *
 * @returns an empty map for a linked worktree, whose branches belong to the repository and stay
 */
export const readOtherWork = async (
  { isolated, gitDirectory, safe }: OtherWorkRequest,
  options: GitOptions,
): Promise<ReadonlyMap<string, string>> => {
  if (gitDirectory === undefined || gitDirectory.gitDir !== gitDirectory.commonDir) return new Map()
  const { commonDir } = gitDirectory
  const stashes = await readStashes(commonDir)
  const refs = new Map([
    ...(await readRefs(commonDir, 'refs/heads/')),
    ...(await readRefs(commonDir, 'refs/tags/')),
    ...stashes.map((commit, at) => [`${SWITCHYARD_REFS}/stash/${at}`, commit] as const),
  ])
  if (refs.size === 0) return refs
  // Prints for each commit one of the given commits that reaches it.
  const { stdout } = await isolated.git(['log', '--source', '--format=%S', '--ignore-missing', '--stdin'], {
    ...options,
    input: [...refs.values(), ...safe.map((commit) => `^${commit}`)].map((line) => `${line}\n`).join(''),
  })
  const found = new Set(stdout.toString('utf8').split('\n'))
  return new Map([...refs].filter(([, commit]) => found.has(commit)))
}
