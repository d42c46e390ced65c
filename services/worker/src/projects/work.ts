// Checks what would be lost with a working directory, and bundles it.

import { randomUUID } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { describeLoss, type RepositoryIdentity } from '@switchyard/git'
import type { ProjectDeps } from './deps.ts'

/** How long to wait for the remote's current branches, so that pushed work counts as pushed, ms. */
const FETCH_MS = 15_000

export const exists = async (directory: string): Promise<boolean> =>
  (await lstat(directory).catch(() => undefined))?.isDirectory() ?? false

/** Fetches the remote, if it answers in time. */
export const refresh = async (deps: ProjectDeps, identity: RepositoryIdentity, signal: AbortSignal): Promise<void> => {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)])
  await deps.repositories.fetch(identity, { signal: limit }).catch((error: Error) => {
    deps.logger.info(
      { project: identity.key, err: error.message },
      'failed to fetch the remote; using the last known branches',
    )
  })
}

const bundleFile = ({ layout }: Pick<ProjectDeps, 'layout'>, name: string): string =>
  layout.bundle(`${name}-${randomUUID().slice(0, 8)}.bundle`)

const notBundled = (lost: string): SwitchyardError =>
  new SwitchyardError('work_would_be_lost', `${lost}, and no bundle of it came to be`, {
    hint: 'Take what is there elsewhere by hand, and call again.',
  })

/** A directory is removed only because its work is in this bundle. */
const requireFile = async (file: string, lost: string): Promise<void> => {
  if (!(await lstat(file).catch(() => undefined))?.isFile()) throw notBundled(lost)
}

/**
 * Checks that a directory can be removed without losing work.
 *
 * @param what - its name in a message
 * @param force - bundle what would be lost instead of refusing
 * @returns the bundle's file; null when there was nothing to save
 * @throws SwitchyardError `work_would_be_lost`, also when it cannot be bundled; `payload_too_large` for a file too large for a bundle;
 *   `disk_full`, `directory_unwritable`, `repository_unavailable`
 */
export const saveBeforeRemoval = async (
  deps: ProjectDeps,
  identity: RepositoryIdentity,
  directory: string,
  what: string,
  force: boolean,
): Promise<string | null> => {
  if (!(await exists(directory))) return null
  const state = await deps.repositories.work.state(identity, directory)
  const lost = describeLoss(state)
  if (lost === null) return null
  // Publishing leaves the directory unchanged: what it pushed is still uncommitted there.
  if (state.unpushed === 0 && (await deps.repositories.work.isPublished(identity, directory))) return null
  if (!force) throw new SwitchyardError('work_would_be_lost', `${what} has ${lost}`)
  const file = bundleFile(deps, path.basename(directory))
  if (await deps.repositories.work.bundle(identity, directory, file)) await requireFile(file, `${what} has ${lost}`)
  else throw notBundled(`${what} has ${lost}`)
  deps.logger.info({ directory, file }, 'bundled unpushed work')
  return file
}

/**
 * Checks that a project's clone can be removed, as `saveBeforeRemoval` does for a directory: branches and stashes that exist only there.
 *
 * @param goes - directories removed with it that have no bundle of their own
 * @param isThin - leave out of the bundle what the remote has; default false
 */
export const saveCloneBeforeRemoval = async (
  deps: Pick<ProjectDeps, 'repositories' | 'layout' | 'logger'>,
  identity: RepositoryIdentity,
  {
    goes,
    force,
    isThin = false,
  }: { readonly goes: readonly string[]; readonly force: boolean; readonly isThin?: boolean },
): Promise<string | null> => {
  const lost = await deps.repositories.work.describeCloneLoss(identity, goes)
  if (lost === null) return null
  const directory = deps.repositories.sharedDirectory(identity)
  if (!force) throw new SwitchyardError('work_would_be_lost', `the project’s clone ${directory} has ${lost}`)
  const file = bundleFile(deps, identity.slug)
  await deps.repositories.work.bundleClone(identity, file, { isThin })
  await requireFile(file, `the project’s clone ${directory} has ${lost}`)
  deps.logger.info({ directory, file }, 'bundled unpushed branches and stashes')
  return file
}
