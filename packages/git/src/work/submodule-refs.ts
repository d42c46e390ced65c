// Gives the commits and stashes of submodules refs in their superproject's isolated repository, so that a bundle
// contains them.

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import type { GitOptions } from '../command/run.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readHead, readRefs, readStashes } from '../untrusted/refs.ts'
import { SWITCHYARD_REFS } from '../untrusted/switchyard-refs.ts'
import { isCommit } from './commit-work.ts'
import { hasWork, type Submodule } from './submodules.ts'
import { submodulesOf } from './work-state.ts'

/** Returns the submodules with work, including nested ones, and makes their objects readable in `isolated`. */
const withNested = async (
  isolated: IsolatedRepository,
  directory: string,
  submodules: readonly Submodule[],
  options: GitOptions,
): Promise<readonly Submodule[]> => {
  const found: Submodule[] = []
  const objectDirsOf = ({ gitDirectory }: Submodule) =>
    gitDirectory ? [path.join(gitDirectory.commonDir, 'objects')] : []
  let level = submodules.filter(hasWork)
  while (level.length > 0) {
    found.push(...level)
    const alternates = path.join(isolated.directory, 'objects/info/alternates')
    await writeFile(alternates, `${found.flatMap(objectDirsOf).join('\n')}\n`)
    const nextLevel: Submodule[] = []
    for (const { path: name, gitDirectory } of level) {
      const commit = gitDirectory && (await readHead(gitDirectory)).commit
      if (commit === undefined || !(await isCommit(isolated, commit, options))) continue
      const superproject = { isolated, directory: path.join(directory, name), gitDirectory, commit }
      const nested = await submodulesOf(superproject, options)
      nextLevel.push(...nested.filter(hasWork).map((one) => ({ ...one, path: `${name}/${one.path}` })))
    }
    level = nextLevel
  }
  return found
}

const refsOf = async ({ gitDirectory }: Submodule): Promise<ReadonlyMap<string, string>> => {
  if (gitDirectory === undefined) return new Map()
  const { commit } = await readHead(gitDirectory)
  const branches = await readRefs(gitDirectory.commonDir, 'refs/heads/')
  const stashes = await readStashes(gitDirectory.commonDir)
  return new Map([
    ...(commit === undefined ? [] : ([['head', commit]] as const)),
    ...[...branches].map(([ref, tip]) => [ref.slice('refs/'.length), tip] as const),
    ...stashes.map((stash, at) => [`stash/${at}`, stash] as const),
  ])
}

/**
 * Returns refs for the commits of submodules: `refs/switchyard/submodules/<n>-<path>/head`, `…/heads/<branch>` and
 * `…/stash/<n>`.
 *
 * @param submodules - of `directory`; those without work are ignored
 * @throws SwitchyardError `repository_unavailable` when a commit is missing
 */
export const readSubmoduleRefs = async (
  isolated: IsolatedRepository,
  directory: string,
  submodules: readonly Submodule[],
  options: GitOptions,
): Promise<ReadonlyMap<string, string>> => {
  const refs = new Map<string, string>()
  await mkdir(path.join(isolated.directory, 'objects/info'), { recursive: true })
  for (const [at, submodule] of (await withNested(isolated, directory, submodules, options)).entries())
    for (const [name, commit] of await refsOf(submodule)) {
      if (!(await isCommit(isolated, commit, options)))
        throw new SwitchyardError(
          'repository_unavailable',
          `submodule ${submodule.path} of ${directory} does not have commit ${commit}`,
          {
            hint: 'Delete the branch or the stash that names the commit, and call again. Nothing was deleted.',
            retryable: false,
          },
        )
      const prefix = `${SWITCHYARD_REFS}/submodules/${at}-${submodule.path.replaceAll(/[^A-Za-z0-9_]+/g, '-')}`
      refs.set(`${prefix}/${name}`, commit)
    }
  return refs
}
