// What a caller asks to start: which repository, in which directory, with whose key.

import path from 'node:path'
import { type StartProject, SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, projectIdOf, type RepositoryIdentity } from '@switchyard/git/identity'
import { findProject } from '@switchyard/records'
import { type Caller, isOperator, requireOperator } from '../access/caller.ts'
import { requireMayName } from '../access/local-paths.ts'
import type { ProjectDeps } from './deps.ts'

export type Wanted = {
  readonly identity: RepositoryIdentity
  /** The caller's own checkout; null: one is made and managed. */
  readonly ownCheckout: string | null
}

const requireAbsolute = (field: string, place: string): string => {
  if (path.isAbsolute(place)) return path.resolve(place)
  throw new SwitchyardError('invalid_request', `${field}: is not an absolute path`)
}

/** A local checkout stands for the repository that it was cloned from, and is worked in where it is. */
const ofCheckout = async (deps: ProjectDeps, local: RepositoryIdentity, signal: AbortSignal | undefined) => {
  const found = await deps.calls.call('project.inspect', { path: local.fetchUrl }, { signal })
  const identity = found.origin === null ? undefined : parseRepositoryUrl(found.origin)
  // A bare repository, or none: cloning it says what it is.
  if (!found.is_checkout) return { identity: local, ownCheckout: null }
  if (found.main !== null)
    throw new SwitchyardError('invalid_project', `${found.place} is a linked worktree of ${found.main}`, {
      hint: `Start ${found.main} and make a sandbox of it.`,
    })
  return { identity: identity ?? parseRepositoryUrl(found.place), ownCheckout: found.place }
}

/** Checked before anything is registered. @returns its real path */
const requireCheckoutOf = async (
  deps: ProjectDeps,
  identity: RepositoryIdentity,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<string> => {
  const found = await deps.calls.call('project.inspect', { path: directory }, { signal })
  const refuse = (why: string): never => {
    throw new SwitchyardError('invalid_project', `base_dir ${directory} ${why}`, {
      hint: 'Name the main checkout of this repository, or leave base_dir out: one is made then.',
    })
  }
  if (!found.is_checkout) refuse('is no git checkout that the worker can read')
  if (found.main !== null) refuse(`is a linked worktree of ${found.main}`)
  const key = found.origin === null ? found.place : parseRepositoryUrl(found.origin).key
  if (key !== identity.key && found.place !== identity.fetchUrl) refuse('is a checkout of another repository')
  return found.place
}

/** @throws SwitchyardError `invalid_project`, `invalid_request`, `forbidden`, `worker_unavailable` */
export const readWanted = async (
  deps: ProjectDeps,
  caller: Caller,
  input: StartProject,
  signal: AbortSignal | undefined,
): Promise<Wanted> => {
  const identity = parseRepositoryUrl(input.git_url)
  if (input.user_ssh_key !== undefined) {
    requireOperator(caller, 'setting user_ssh_key')
    requireAbsolute('user_ssh_key', input.user_ssh_key)
  }
  if (input.base_dir !== undefined) {
    requireOperator(caller, 'setting base_dir')
    const place = requireAbsolute('base_dir', input.base_dir)
    return { identity, ownCheckout: await requireCheckoutOf(deps, identity, place, signal) }
  }
  requireMayName(caller, identity.displayUrl, await findProject(deps.records.db, projectIdOf(identity.key)))
  const isPlainPath = identity.kind === 'path' && path.isAbsolute(input.git_url)
  return isPlainPath && isOperator(caller) ? await ofCheckout(deps, identity, signal) : { identity, ownCheckout: null }
}
