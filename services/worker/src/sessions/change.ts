// Changes sessions: rename, delete, abort, share, revert.

import type { Session } from '@opencode-ai/sdk/v2'
import { type CallArgs, type CallResult, isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import { type OwnSession, openSession, requireNoOpenTask } from './access.ts'
import { requireMessage } from './create.ts'
import type { SessionDeps } from './deps.ts'
import { ownMetadata, shareUrlOf, toMetadata, toSessionInfo, withoutOwn } from './describe.ts'
import { sessionStateOf } from './session-requests.ts'

const asInfo = async (own: OwnSession, session: Session, signal: AbortSignal): Promise<CallResult<'session.read'>> => {
  const { status, tree } = await sessionStateOf(own, signal)
  return { session: toSessionInfo(session, { ...own, status, children: tree.slice(1), messageCount: null }) }
}

/** @throws SwitchyardError `session_not_found` */
export const updateSession = async (deps: SessionDeps, args: CallArgs<'session.update'>, signal: AbortSignal) => {
  const own = await openSession(deps, args, signal)
  // A task finds its session by its title.
  if (args.title !== null) requireNoOpenTask(own)
  const session = await own.client.updateSession(
    own.place,
    {
      ...(args.title === null ? {} : { title: args.title }),
      ...(args.metadata === null ? {} : { metadata: toMetadata(args.metadata, ownMetadata(own.session)) }),
    },
    { signal },
  )
  return await asInfo(own, session, signal)
}

/** Ends its turn first: OpenCode would let the turn of a deleted session continue. */
export const deleteSession = async (deps: SessionDeps, args: CallArgs<'session.delete'>, signal: AbortSignal) => {
  const own = await openSession(deps, args, signal)
  requireNoOpenTask(own)
  await own.client.abortTree(own.place, { signal })
  await own.client.deleteSession(own.place, { signal })
  return {}
}

export const abortSession = async (deps: SessionDeps, args: CallArgs<'session.abort'>, signal: AbortSignal) => {
  const own = await openSession(deps, args, signal)
  requireNoOpenTask(own)
  return { aborted: [...(await own.client.abortTree(own.place, { signal }))] }
}

const notShared = (message: string, options: { readonly retryable: boolean; readonly cause?: unknown }) =>
  new SwitchyardError('sharing_unavailable', message, options)

const fromService = (error: unknown): never => {
  if (!isSwitchyardError(error, 'opencode_error')) throw error
  throw notShared('the service that OpenCode shares sessions on was not reached, or refused', {
    retryable: true,
    cause: error,
  })
}

/** @throws SwitchyardError `sharing_unavailable` when sharing is off, or OpenCode's service is unreachable */
export const shareSession = async (deps: SessionDeps, args: CallArgs<'session.share'>, signal: AbortSignal) => {
  const own = await openSession(deps, args, signal)
  const { client, place } = own
  if ((await client.config(place.directory, { signal })).share === 'disabled')
    throw notShared('sharing is disabled in OpenCode’s configuration', { retryable: false })
  const shared = await client.shareSession(place, { signal }).catch(fromService)
  if (!shared.share)
    throw notShared('the OpenCode server was started with sharing turned off (OPENCODE_DISABLE_SHARE)', {
      retryable: false,
    })
  return { url: shared.share.url }
}

/** Does nothing for a session that is not shared. @throws SwitchyardError `sharing_unavailable` when the service does not answer */
export const unshareSession = async (deps: SessionDeps, args: CallArgs<'session.unshare'>, signal: AbortSignal) => {
  const { client, place, session } = await openSession(deps, args, signal)
  const url = shareUrlOf(session)
  if (url === null) return {}
  await client.unshareSession(place, { signal }).catch(fromService)
  const metadata = toMetadata(withoutOwn(session.metadata), { ...ownMetadata(session), unshared: url })
  await client.updateSession(place, { metadata }, { signal })
  return {}
}

/** @throws SwitchyardError `session_busy`, `message_not_found`, `session_of_task` */
export const revertSession = async (deps: SessionDeps, args: CallArgs<'session.revert'>, signal: AbortSignal) => {
  const own = await openSession(deps, args, signal)
  requireNoOpenTask(own)
  await requireMessage(own, args.message_id, signal)
  const to = { messageId: args.message_id, ...(args.part_id === null ? {} : { partId: args.part_id }) }
  return await asInfo(own, await own.client.revertSession(own.place, to, { signal }), signal)
}

/** @throws SwitchyardError `session_busy`, `session_of_task` */
export const unrevertSession = async (deps: SessionDeps, args: CallArgs<'session.unrevert'>, signal: AbortSignal) => {
  const own = await openSession(deps, args, signal)
  requireNoOpenTask(own)
  return await asInfo(own, await own.client.unrevertSession(own.place, { signal }), signal)
}
