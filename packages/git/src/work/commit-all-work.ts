// Commits everything in a working directory that is not on its branch, for a directory that will be removed.

import { SWITCHYARD_AUTHOR } from '../clones/scratch.ts'
import type { GitOptions } from '../command/run.ts'
import { NO_LINE_END_CONVERSION, writeWholeWorkTree } from './commit-work.ts'
import { readSubmoduleRefs } from './submodule-refs.ts'
import { hasWork, type Superproject } from './submodules.ts'
import { submodulesOf } from './work-state.ts'

/** Limit of one git command, which may read millions of files. */
const TIMEOUT_MS = 30 * 60_000

export type AllWork = {
  /** A commit of the uncommitted changes on top of HEAD, or a first commit without HEAD; undefined without changes. */
  readonly snapshot: string | undefined
  /** Refs of the commits in submodules, named by `readSubmoduleRefs`. */
  readonly submoduleRefs: ReadonlyMap<string, string>
}

export const allWorkOptions = (signal?: AbortSignal): GitOptions => ({
  timeoutMs: TIMEOUT_MS,
  config: [...SWITCHYARD_AUTHOR, ...NO_LINE_END_CONVERSION],
  ...(signal ? { signal } : {}),
})

/**
 * Commits all work of a directory in an isolated repository.
 *
 * @param directory.head - the commit of HEAD; undefined when HEAD names no commit
 * @throws SwitchyardError `payload_too_large` when a file is over 512 MiB; `repository_unavailable`, `call_timeout`
 */
export const commitAllWork = async (
  { head, ...superproject }: Omit<Superproject, 'commit'> & { readonly head: string | undefined },
  options: GitOptions,
): Promise<AllWork> => {
  const { isolated, directory } = superproject
  const line = (args: readonly string[]) => isolated.line(args, options)
  const base = head ?? (await line(['mktree']))
  const submodules = (await submodulesOf({ ...superproject, commit: base }, options)).filter(hasWork)
  const asFiles = submodules.map((submodule) => submodule.path)
  const tree = await writeWholeWorkTree(isolated, directory, base, options, asFiles)
  const isUnchanged = tree === (await line(['rev-parse', `${base}^{tree}`]))
  const parents = head === undefined ? [] : ['-p', head]
  return {
    snapshot: isUnchanged
      ? undefined
      : await line(['commit-tree', tree, ...parents, '-m', 'Work that was not committed']),
    submoduleRefs: await readSubmoduleRefs(isolated, directory, submodules, options),
  }
}
