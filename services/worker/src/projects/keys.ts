// The deploy key of a project: read, rotated, or provided by its owner.

import type { CallArgs, CallResult, DeployKey as ToldKey } from '@switchyard/contracts'
import { addKeyPage, type DeployKey, type RepositoryIdentity } from '@switchyard/git'
import { updateProject } from '@switchyard/records'
import { createSealKey, openSealed, removeSealKey } from '../secrets/sealed-secret.ts'
import { type ProjectDeps, readRegistered } from './deps.ts'

const toTold = (key: DeployKey, identity: RepositoryIdentity): ToldKey => ({
  public_key: key.publicKey,
  fingerprint: key.fingerprint,
  ...addKeyPage(identity),
})

/** Removes a user's own key from the settings once it is replaced; each start would use it again. */
const leaveUsersKey = async ({ records }: ProjectDeps, projectId: string): Promise<void> => {
  await updateProject(records.db, projectId, { user_ssh_key: null })
}

export const readKey = async (
  deps: ProjectDeps,
  { project_id: id, rotate }: CallArgs<'key.read'>,
): Promise<CallResult<'key.read'>> => {
  const { identity } = await readRegistered(deps, id)
  if (!rotate) return toTold(await deps.keys.ensure(identity), identity)
  const key = await deps.keys.rotate(identity)
  await leaveUsersKey(deps, id)
  return toTold(key, identity)
}

export const offerKeySeal = async (
  deps: ProjectDeps,
  { project_id: id }: CallArgs<'key.offer_seal'>,
): Promise<CallResult<'key.offer_seal'>> => {
  const { identity } = await readRegistered(deps, id)
  return { public_key: await createSealKey(deps.keys.directoryOf(identity)) }
}

/** @throws SwitchyardError `invalid_request` when it was sealed with another key, `deploy_key_invalid` */
export const takeKey = async (
  deps: ProjectDeps,
  { project_id: id, sealed }: CallArgs<'key.take'>,
): Promise<CallResult<'key.take'>> => {
  const { identity } = await readRegistered(deps, id)
  const directory = deps.keys.directoryOf(identity)
  const key = await deps.keys.put(identity, await openSealed(directory, sealed))
  await leaveUsersKey(deps, id)
  await removeSealKey(directory)
  return toTold(key, identity)
}
