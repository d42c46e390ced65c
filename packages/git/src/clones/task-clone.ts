// A clone for one task alone, where the agent is kept from everything else: made from the mirror, with the project's
// other branches as remote ones. git runs in it before an agent has written to it, and never after.

import { lstat, mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import { git } from '../command/run.ts'
import { openOwnRepository } from '../untrusted/isolated-repository.ts'
import type { WorktreeRequest } from '../worktrees/worktrees.ts'
import type { Mirror } from './mirror.ts'
import type { Checkout } from './scratch.ts'
import { inspectClone, type SharedClone } from './shared-clone.ts'

const TIMEOUT_MS = 10 * 60_000
const FETCH = ['fetch', '--quiet', '--no-recurse-submodules', '--no-auto-maintenance', '--no-write-fetch-head']

type Start = {
  readonly commit: string
  /** Only the shared clone has it: an earlier task made that branch. */
  readonly isLocal: boolean
}

/** @throws SwitchyardError `branch_in_use`, `branch_not_found`, `repository_empty` */
const findStart = async (mirror: Mirror, shared: SharedClone, request: WorktreeRequest): Promise<Start> => {
  const { branch, base, reuse, signal } = request
  const local = await shared.resolve(`refs/heads/${branch}`, signal)
  const remote = await mirror.branch(branch, signal)
  const existing = local ?? remote
  if (existing === undefined) return { commit: await mirror.resolveBase(base, signal), isLocal: false }
  if (!reuse) throw new SwitchyardError('branch_in_use', `branch "${branch}" exists already`)
  return { commit: existing, isLocal: local !== undefined }
}

const fill = async (mirror: Mirror, shared: SharedClone, url: string, place: string, request: WorktreeRequest) => {
  const { branch, signal } = request
  const at = { cwd: place, timeoutMs: TIMEOUT_MS, ...(signal ? { signal } : {}) }
  const { commit, isLocal } = await findStart(mirror, shared, request)
  await git(['init', '--quiet', '--template=', `--initial-branch=${branch}`, '.'], at)
  await git([...FETCH, '--', mirror.directory, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'], at)
  if (isLocal) {
    // Its configuration is an agent's: read through a repository that has its objects and refs alone.
    await inspectClone(shared.directory)
    const own = await openOwnRepository({ linkTo: shared.gitDirectory })
    try {
      await git([...FETCH, '--', own.directory, `refs/heads/${branch}`], at)
    } finally {
      await own.close()
    }
  } else await git([...FETCH, '--', mirror.directory, commit], at)
  await git(['config', 'remote.origin.url', url], at)
  await git(['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'], at)
  await git(['update-ref', '--end-of-options', `refs/heads/${branch}`, commit], at)
  await git(['reset', '--quiet', '--hard'], at)
  return commit
}

/** See `Repositories.makeClone`. */
export const makeClone = async (
  mirror: Mirror,
  shared: SharedClone,
  url: string,
  request: WorktreeRequest,
): Promise<Checkout> => {
  const directory = path.resolve(request.directory)
  const fresh = `${directory}.new`
  try {
    for (const old of [fresh, directory])
      if (await lstat(old).catch(() => undefined)) await rm(old, { recursive: true, force: true })
    await mkdir(fresh, { recursive: true })
    const baseCommit = await fill(mirror, shared, url, fresh, request)
    await rename(fresh, directory)
    return { directory, branch: request.branch, baseCommit }
  } catch (error) {
    throw fromFileError(error, directory)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}
