// Checks whether a repository's host accepts the worker; if not, returns the deploy key to add there.

import { type AccessCheck, checkAccess, type DeployKey, type RepositoryIdentity } from '@switchyard/git'
import type { ProjectRow } from '@switchyard/records'
import type { ProjectDeps } from './deps.ts'

export type Door =
  | { readonly isOpen: true }
  /** The host does not accept this key yet. */
  | { readonly isOpen: false; readonly key: DeployKey }

/** Without a deploy key, ssh fails with the worker's own user, which says nothing about a key that was not tried. */
const mayNeedKey = ({ status }: AccessCheck, { kind }: RepositoryIdentity): boolean =>
  status === 'denied' || (status === 'host_key_unknown' && kind === 'ssh')

/**
 * @throws SwitchyardError `repository_unavailable`, `host_key_unknown`, `host_key_changed`, `call_timeout`, `deploy_key_invalid`;
 *   `repository_access_denied` when a token was refused, since no deploy key would be tried
 */
export const tryDoor = async (
  { access, keys }: ProjectDeps,
  row: ProjectRow,
  identity: RepositoryIdentity,
  signal: AbortSignal,
): Promise<Door> => {
  if (row.user_ssh_key !== null) await keys.adopt(identity, row.user_ssh_key)
  const before = await keys.find(identity)
  let found = await checkAccess(access, keys, identity, signal)
  const takesKeys = identity.kind === 'ssh' || (identity.kind === 'https' && !access.hasToken(identity))
  if (before === undefined && takesKeys && mayNeedKey(found, identity)) {
    await keys.ensure(identity)
    found = await checkAccess(access, keys, identity, signal)
  }
  if (found.status === 'ok') return { isOpen: true }
  const key = await keys.find(identity)
  if (found.status === 'denied' && key !== undefined && takesKeys) return { isOpen: false, key }
  throw found.error
}
