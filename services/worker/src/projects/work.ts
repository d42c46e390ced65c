// What would be lost with a working directory, and the bundle that keeps it.

import { randomUUID } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { describeLoss, type RepositoryIdentity } from '@switchyard/git'
import type { ProjectDeps } from './deps.ts'

/** The remote is asked, so that what was pushed counts as pushed; one that does not answer soon is not waited for, ms. */
const FETCH_MS = 15_000

export const exists = async (directory: string): Promise<boolean> =>
  (await lstat(directory).catch(() => undefined))?.isDirectory() ?? false

/** Brings what is known of the remote up to date, where that can be done now. */
export const refresh = async (deps: ProjectDeps, identity: RepositoryIdentity, signal: AbortSignal): Promise<void> => {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)])
  await deps.repositories.fetch(identity, { signal: limit }).catch((error: Error) => {
    deps.logger.info({ project: identity.key, err: error.message }, 'the remote was not asked')
  })
}

/**
 * Makes sure that a directory can go.
 *
 * @param what - its name in a message
 * @param force - bundle what would be lost instead of refusing
 * @returns the bundle's file; null where there was nothing to keep
 * @throws SwitchyardError `work_would_be_lost`, also where it cannot be bundled; `payload_too_large` with a file that no bundle takes;
 *   `disk_full`, `directory_unwritable`, `repository_unavailable`
 */
export const secure = async (
  deps: ProjectDeps,
  identity: RepositoryIdentity,
  directory: string,
  what: string,
  force: boolean,
): Promise<string | null> => {
  if (!(await exists(directory))) return null
  const state = await deps.repositories.workState(identity, directory)
  // Stashes are the clone’s and stay in it.
  const lost = describeLoss({ ...state, stashes: 0 })
  if (lost === null) return null
  // Publishing leaves the directory as it is: what it pushed is uncommitted there still.
  if (state.unpushed === 0 && (await deps.repositories.isPublished(identity, directory))) return null
  if (!force) throw new SwitchyardError('work_would_be_lost', `${what} has ${lost}`)
  const file = path.join(deps.bundlesDir, `${path.basename(directory)}-${randomUUID().slice(0, 8)}.bundle`)
  const isWritten = await deps.repositories.bundle(identity, directory, file)
  // It goes on the word of this answer.
  if (!isWritten || !(await lstat(file).catch(() => undefined))?.isFile())
    throw new SwitchyardError('work_would_be_lost', `${what} has ${lost}, and no bundle of it came to be`, {
      hint: 'Take what is in the directory elsewhere by hand, and call again.',
    })
  deps.logger.info({ directory, file }, 'bundled what was not pushed')
  return file
}
