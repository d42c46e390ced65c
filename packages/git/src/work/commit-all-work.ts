// All that is in a working directory and not on its branch, as commits of a repository of our own: for a directory that goes.

import { IDENTITY } from '../clones/scratch.ts'
import type { GitOptions } from '../command/run.ts'
import { AS_THEY_ARE, lineOf, writeWholeWorkTree } from './commit-work.ts'
import { readSubmoduleRefs } from './submodule-refs.ts'
import { hasWork, type Superproject } from './submodules.ts'
import { submodulesOf } from './work-state.ts'

/** Of one step, with millions of files. */
const TIMEOUT_MS = 30 * 60_000

export type WholeWork = {
  /** What was not committed, on top of HEAD, or the first commit where HEAD has none; undefined where all of it was. */
  readonly snapshot: string | undefined
  /** Refs for what was committed in submodules, as `readSubmoduleRefs` names them. */
  readonly inside: ReadonlyMap<string, string>
}

export const wholeWorkOptions = (signal?: AbortSignal): GitOptions => ({
  timeoutMs: TIMEOUT_MS,
  config: [...IDENTITY, ...AS_THEY_ARE],
  ...(signal ? { signal } : {}),
})

/**
 * @param where - `head`: what is checked out; undefined where that is no commit
 * @throws SwitchyardError `payload_too_large` with a file over 512 MiB, `repository_unavailable`, `call_timeout`
 */
export const commitWholeWork = async (
  { head, ...where }: Omit<Superproject, 'commit'> & { readonly head: string | undefined },
  options: GitOptions,
): Promise<WholeWork> => {
  const { own, directory } = where
  const line = (args: readonly string[]) => lineOf(own, args, options)
  const begun = head ?? (await line(['mktree']))
  const submodules = (await submodulesOf({ ...where, commit: begun }, options)).filter(hasWork)
  const asFiles = submodules.map((one) => one.path)
  const tree = await writeWholeWorkTree(own, directory, begun, options, asFiles)
  const isCommitted = tree === (await line(['rev-parse', `${begun}^{tree}`]))
  const parents = head === undefined ? [] : ['-p', head]
  return {
    snapshot: isCommitted
      ? undefined
      : await line(['commit-tree', tree, ...parents, '-m', 'Work that was not committed']),
    inside: await readSubmoduleRefs(own, directory, submodules, options),
  }
}
