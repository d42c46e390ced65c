// Brings what was committed and stashed in submodules into a bundle of their superproject, under names of ours.

import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import type { GitOptions } from '../command/run.ts'
import { KEPT } from '../foreign/open.ts'
import { readHead, readRefs, readStashes } from '../untrusted/git-directory.ts'
import type { OwnRepository } from '../untrusted/isolated-repository.ts'
import { isCommit } from './commit-work.ts'
import { hasWork, type Submodule } from './submodules.ts'
import { submodulesOf } from './work-state.ts'

/** With those inside of them; the objects of each can be read in `own` from then on. */
const withNested = async (
  own: OwnRepository,
  directory: string,
  submodules: readonly Submodule[],
  options: GitOptions,
): Promise<readonly Submodule[]> => {
  const found: Submodule[] = []
  const objects = (one: Submodule) => (one.place ? [path.join(one.place.commonDir, 'objects')] : [])
  for (const open = submodules.filter(hasWork); open.length > 0; ) {
    found.push(...open)
    await writeFile(path.join(own.directory, 'objects/info/alternates'), `${found.flatMap(objects).join('\n')}\n`)
    const inside: Submodule[] = []
    for (const { path: name, place } of open.splice(0)) {
      const commit = place && (await readHead(place)).commit
      if (commit === undefined || !(await isCommit(own, commit, options))) continue
      const nested = await submodulesOf({ own, directory: path.join(directory, name), place, commit }, options)
      inside.push(...nested.filter(hasWork).map((one) => ({ ...one, path: `${name}/${one.path}` })))
    }
    open.push(...inside)
  }
  return found
}

const refsOf = async ({ place }: Submodule): Promise<ReadonlyMap<string, string>> => {
  if (place === undefined) return new Map()
  const { commit } = await readHead(place)
  const branches = await readRefs(place.commonDir, 'refs/heads/')
  const stashes = await readStashes(place.commonDir)
  return new Map([
    ...(commit === undefined ? [] : ([['head', commit]] as const)),
    ...[...branches].map(([ref, tip]) => [ref.slice('refs/'.length), tip] as const),
    ...stashes.map((stash, at) => [`stash/${at}`, stash] as const),
  ])
}

/**
 * @param submodules - of `directory`; those without work are passed over
 * @returns refs and their commits: `refs/switchyard/submodules/<n>-<path>/head`, `…/heads/<branch>`, `…/stash/<n>`
 * @throws SwitchyardError `repository_unavailable` where a commit is not there
 */
export const readSubmoduleRefs = async (
  own: OwnRepository,
  directory: string,
  submodules: readonly Submodule[],
  options: GitOptions,
): Promise<ReadonlyMap<string, string>> => {
  const refs = new Map<string, string>()
  await mkdir(path.join(own.directory, 'objects/info'), { recursive: true })
  for (const [at, one] of (await withNested(own, directory, submodules, options)).entries())
    for (const [name, commit] of await refsOf(one)) {
      if (!(await isCommit(own, commit, options)))
        throw new SwitchyardError('repository_unavailable', `submodule ${one.path} of ${directory} lacks ${commit}`, {
          hint: 'Delete the branch or the stash that leads there, and call again. Nothing was deleted.',
          retryable: false,
        })
      refs.set(`${KEPT}/submodules/${at}-${one.path.replaceAll(/[^A-Za-z0-9_]+/g, '-')}/${name}`, commit)
    }
  return refs
}
