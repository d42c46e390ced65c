// Checks whether the worker can read a repository.

import { type ErrorCode, isSwitchyardError, type SwitchyardError } from '@switchyard/contracts'
import { git } from '../command/run.ts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import type { Connection } from './connection.ts'
import type { DeployKeys } from './deploy-keys.ts'
import type { RepositoryAccess } from './repository-access.ts'

/**
 * Why a repository cannot be read. `denied`: the key or token was not accepted, or the repository does not
 * exist; forges answer the same for both.
 */
type AccessFailure = 'denied' | 'not_found' | 'host_key_unknown' | 'host_key_changed' | 'unreachable' | 'timeout'

export type AccessCheck =
  | {
      readonly status: 'ok'
      /** True when the repository has no commit yet. */
      readonly isEmpty: boolean
      /** True after a rotation, while the host accepts the previous key but not yet the new one. */
      readonly isFormerKey: boolean
    }
  | { readonly status: AccessFailure; readonly error: SwitchyardError }

const TIMEOUT_MS = 20_000

const STATUS: Partial<Record<ErrorCode, AccessFailure>> = {
  repository_access_denied: 'denied',
  repository_not_found: 'not_found',
  repository_unavailable: 'unreachable',
  host_key_unknown: 'host_key_unknown',
  host_key_changed: 'host_key_changed',
  call_timeout: 'timeout',
}

const tryConnection = async (
  identity: RepositoryIdentity,
  { url, env, config }: Connection,
  signal: AbortSignal | undefined,
): Promise<AccessCheck> => {
  try {
    const { stdout } = await git(['ls-remote', '--', url], {
      env,
      config,
      timeoutMs: TIMEOUT_MS,
      // The first line is enough.
      maxBytes: 1_024,
      ...(signal ? { signal } : {}),
    })
    return { status: 'ok', isEmpty: stdout.length === 0, isFormerKey: false }
  } catch (error) {
    const status = isSwitchyardError(error) ? STATUS[error.code] : undefined
    if (status === undefined || !isSwitchyardError(error)) throw error
    return { status: status === 'not_found' && identity.kind !== 'path' ? 'denied' : status, error }
  }
}

/**
 * Checks access with the newest key first, then with the previous ones. Removes the previous keys once the
 * newest is accepted. Each attempt takes at most 20 seconds.
 *
 * @throws SwitchyardError `deploy_key_invalid`, `configuration_invalid`; the signal's reason when it fires
 */
export const checkAccess = async (
  access: RepositoryAccess,
  keys: DeployKeys,
  identity: RepositoryIdentity,
  signal?: AbortSignal,
): Promise<AccessCheck> => {
  const [newest, ...former] = await keys.identityFiles(identity)
  if (newest === undefined || former.length === 0)
    return await tryConnection(identity, await access.connect(identity), signal)
  const key = await keys.find(identity)
  const found = await tryConnection(identity, await access.connectWith(identity, [newest]), signal)
  if (found.status === 'ok' && key) await keys.confirmAccepted(identity, key.fingerprint)
  if (found.status !== 'denied') return found
  const before = await tryConnection(identity, await access.connectWith(identity, former), signal)
  return before.status === 'ok' ? { ...before, isFormerKey: true } : found
}
