// Asks a repository, within 20 seconds, whether the worker may read it.

import { type ErrorCode, isSwitchyardError, type SwitchyardError } from '@switchyard/contracts'
import { git } from '../command/run.ts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import type { Connection } from './connection.ts'
import type { DeployKeys } from './deploy-keys.ts'
import type { RepositoryAccess } from './repository-access.ts'

/** Why a repository cannot be read. `denied`: the key or token was not accepted; forges say the same of a repository that is not there. */
type Refusal = 'denied' | 'not_found' | 'host_key_unknown' | 'host_key_changed' | 'unreachable' | 'timeout'

export type AccessCheck =
  | {
      readonly status: 'ok'
      /** It has no commit yet. */
      readonly isEmpty: boolean
      /** After a rotation: the new key is not accepted yet, and the one before it still is. */
      readonly isFormerKey: boolean
    }
  | { readonly status: Refusal; readonly error: SwitchyardError }

const TIMEOUT_MS = 20_000

const STATUS: Partial<Record<ErrorCode, Refusal>> = {
  repository_access_denied: 'denied',
  repository_not_found: 'not_found',
  repository_unavailable: 'unreachable',
  host_key_unknown: 'host_key_unknown',
  host_key_changed: 'host_key_changed',
  call_timeout: 'timeout',
}

const ask = async (
  identity: RepositoryIdentity,
  { url, env, config }: Connection,
  signal: AbortSignal | undefined,
): Promise<AccessCheck> => {
  try {
    const { stdout } = await git(['ls-remote', '--', url], {
      env,
      config,
      timeoutMs: TIMEOUT_MS,
      // One line is enough to know.
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
 * Tries the newest key first; once that is accepted, those before it are forgotten.
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
  if (newest === undefined || former.length === 0) return await ask(identity, await access.connect(identity), signal)
  const key = await keys.find(identity)
  const found = await ask(identity, await access.connectWith(identity, [newest]), signal)
  if (found.status === 'ok' && key) await keys.settle(identity, key.fingerprint)
  if (found.status !== 'denied') return found
  const before = await ask(identity, await access.connectWith(identity, former), signal)
  return before.status === 'ok' ? { ...before, isFormerKey: true } : found
}
