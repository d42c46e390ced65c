// Determines which repository a start call names, and whether it is the caller's own checkout.

import path from 'node:path'
import { type StartProject, SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, projectIdOf, type RepositoryIdentity } from '@switchyard/git/identity'
import { findProject } from '@switchyard/records'
import { type Caller, isOperator, requireOperator } from '../access/caller.ts'
import { requireMayName } from '../access/local-paths.ts'
import type { ProjectDeps } from './deps.ts'

export type RequestedRepository = {
  readonly identity: RepositoryIdentity
  /** The path of the caller's own checkout; null if Switchyard manages a clone. */
  readonly ownCheckout: string | null
}

const requireAbsolute = (field: string, directory: string): string => {
  if (path.isAbsolute(directory)) return path.resolve(directory)
  throw new SwitchyardError('invalid_request', `${field}: must be an absolute path`)
}

/** Resolves a local checkout to the repository it was cloned from. The project then works in that checkout. */
const resolveCheckout = async (deps: ProjectDeps, local: RepositoryIdentity, signal: AbortSignal | undefined) => {
  const found = await deps.calls.call('project.inspect', { path: local.fetchUrl }, { signal })
  const identity = found.origin === null ? undefined : parseRepositoryUrl(found.origin)
  // A bare repository, or not a repository: cloning it reports which.
  if (!found.is_checkout) return { identity: local, ownCheckout: null }
  if (found.main !== null)
    throw new SwitchyardError('invalid_project', `${found.place} is a linked worktree of ${found.main}`, {
      hint: `Start ${found.main} and create a sandbox.`,
    })
  return { identity: identity ?? parseRepositoryUrl(found.place), ownCheckout: found.place }
}

/** Checks that `directory` is a main checkout of the repository, and returns its real path. */
const requireCheckoutOf = async (
  deps: ProjectDeps,
  identity: RepositoryIdentity,
  directory: string,
  signal: AbortSignal | undefined,
): Promise<string> => {
  const found = await deps.calls.call('project.inspect', { path: directory }, { signal })
  const refuse = (why: string): never => {
    throw new SwitchyardError('invalid_project', `base_dir ${directory} ${why}`, {
      hint: 'Set base_dir to the main checkout of this repository, or omit it to let Switchyard clone one.',
    })
  }
  if (!found.is_checkout) refuse('is not a git checkout that the worker can read')
  if (found.main !== null) refuse(`is a linked worktree of ${found.main}`)
  const key = found.origin === null ? found.place : parseRepositoryUrl(found.origin).key
  if (key !== identity.key && found.place !== identity.fetchUrl) refuse('is a checkout of another repository')
  return found.place
}

/**
 * Checks the repository arguments of a start call.
 *
 * @throws SwitchyardError `invalid_project`, `invalid_request`, `forbidden`, `worker_unavailable`
 */
export const readRequestedRepository = async (
  deps: ProjectDeps,
  caller: Caller,
  input: StartProject,
  signal: AbortSignal | undefined,
): Promise<RequestedRepository> => {
  const identity = parseRepositoryUrl(input.git_url)
  if (input.user_ssh_key !== undefined) {
    requireOperator(caller, 'setting user_ssh_key')
    requireAbsolute('user_ssh_key', input.user_ssh_key)
  }
  if (input.base_dir !== undefined) {
    requireOperator(caller, 'setting base_dir')
    const directory = requireAbsolute('base_dir', input.base_dir)
    return { identity, ownCheckout: await requireCheckoutOf(deps, identity, directory, signal) }
  }
  requireMayName(caller, identity.displayUrl, await findProject(deps.records.db, projectIdOf(identity.key)))
  const isPlainPath = identity.kind === 'path' && path.isAbsolute(input.git_url)
  return isPlainPath && isOperator(caller)
    ? await resolveCheckout(deps, identity, signal)
    : { identity, ownCheckout: null }
}
