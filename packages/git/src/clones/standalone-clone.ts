// Creates a clone for one task in a container, where the agent can reach nothing else. It has copies of all objects and
// the project's other branches as remote branches. git runs in it only before an agent has written to it.

import { lstat, mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import { git } from '../command/run.ts'
import { inspectClone } from '../untrusted/inspect-git-directory.ts'
import { openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import type { BranchRegistry } from './branch-registry.ts'
import type { Checkout, CheckoutRequest } from './checkout.ts'
import type { Mirror } from './mirror.ts'
import type { SharedClone } from './shared-clone.ts'

const TIMEOUT_MS = 10 * 60_000
const FETCH = ['fetch', '--quiet', '--no-recurse-submodules', '--no-auto-maintenance', '--no-write-fetch-head']

type Start = {
  readonly commit: string
  /** True when only the shared clone has the branch, from a sandbox. */
  readonly isShared: boolean
}

/** Where a clone comes from. */
export type CloneSource = { readonly mirror: Mirror; readonly registry: BranchRegistry; readonly shared: SharedClone }

/** @throws SwitchyardError `branch_in_use`, `branch_not_found`, `repository_empty` */
const findStart = async ({ mirror, registry, shared }: CloneSource, request: CheckoutRequest): Promise<Start> => {
  const { branch, base, reuse, signal } = request
  const { registered, remote } = await registry.find(branch, signal)
  const local = shared.exists ? await shared.resolve(`refs/heads/${branch}`, signal) : undefined
  const existing = registered ?? local ?? remote
  if (existing === undefined) return { commit: await mirror.resolveBase(base, signal), isShared: false }
  if (!reuse) throw new SwitchyardError('branch_in_use', `branch "${branch}" already exists`)
  return { commit: existing, isShared: registered === undefined && local !== undefined }
}

const fill = async (source: CloneSource, url: string, directory: string, request: CheckoutRequest): Promise<string> => {
  const { mirror, shared } = source
  const { branch, signal } = request
  const at = { cwd: directory, timeoutMs: TIMEOUT_MS, ...(signal ? { signal } : {}) }
  const { commit, isShared } = await findStart(source, request)
  await git(['init', '--quiet', '--template=', `--initial-branch=${branch}`, '.'], at)
  await git([...FETCH, '--', mirror.directory, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'], at)
  if (isShared) {
    // An agent may have changed the configuration of the shared clone, so only its objects and refs are read.
    await inspectClone(shared.directory)
    const isolated = await openIsolatedRepository({ linkTo: shared.gitDirectory })
    try {
      await git([...FETCH, '--', isolated.directory, `refs/heads/${branch}`], at)
    } finally {
      await isolated.close()
    }
  } else await git([...FETCH, '--', mirror.directory, commit], at)
  await git(['config', 'remote.origin.url', url], at)
  await git(['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'], at)
  await git(['update-ref', '--end-of-options', `refs/heads/${branch}`, commit], at)
  await git(['reset', '--quiet', '--hard'], at)
  return commit
}

/**
 * Creates the clone; see `Repositories.createStandaloneClone`.
 *
 * @param url - the remote URL that the clone shows
 */
export const createStandaloneClone = async (
  source: CloneSource,
  url: string,
  request: CheckoutRequest,
): Promise<Checkout> => {
  const directory = path.resolve(request.directory)
  const fresh = `${directory}.new`
  try {
    for (const unfinished of [fresh, directory])
      if (await lstat(unfinished).catch(() => undefined)) await rm(unfinished, { recursive: true, force: true })
    await mkdir(fresh, { recursive: true })
    const baseCommit = await fill(source, url, fresh, request)
    await rename(fresh, directory)
    return { directory, branch: request.branch, baseCommit }
  } catch (error) {
    throw fromFileError(error, directory)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}
