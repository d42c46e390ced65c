// What this worker does for each call about sessions.

import type { CallHandlers } from '@switchyard/contracts'
import type { ContinuesWork } from '../servers/server-leases.ts'
import { callLease, type ServerLease } from '../servers/server-leases.ts'
import type { ServerPool } from '../servers/server-pool.ts'
import {
  abortSession,
  deleteSession,
  revertSession,
  shareSession,
  unrevertSession,
  unshareSession,
  updateSession,
} from './change.ts'
import { createSession, forkSession } from './create.ts'
import type { SessionDeps } from './deps.ts'
import { listAgents, listProviders, readConfig } from './directory.ts'
import { readEvents } from './events.ts'
import { findFiles, listChanges, listDirectory, readContent, readDiff, readPatch, readTodo } from './files.ts'
import { countSessions, listSessions, readSession } from './list.ts'
import { MessageCounts } from './message-counts.ts'
import { readMessages, readTurn, sendMessage } from './messages.ts'
import { compactSession, initSession } from './model-work.ts'
import { listAsks, replyPermission, replyQuestion } from './session-requests.ts'

export type SessionSettings = Omit<SessionDeps, 'serverFor' | 'servers' | 'counts'> & { readonly servers: ServerPool }

type SessionCall = Extract<keyof CallHandlers, `session.${string}` | `directory.${string}`>

/** Most calls are about what is there, and reach a server that is drained: a turn that waits for an answer ends by one of them. */
const onWhatIsThere = (): ContinuesWork => () => true
/** These begin something, for which a server that is drained is not there. */
const onNew = (): ContinuesWork => () => false
/** A turn that runs reads what is said to it; in a session that rests it would be a new one. */
const onTurn =
  ({ session_id: id }: { readonly session_id: string }): ContinuesWork =>
  (server) =>
    server.busy().some(({ sessionId }) => sessionId === id)

/** What a call holds of servers is given back when it ends. */
const holding =
  (settings: SessionSettings, counts: MessageCounts) =>
  <A, R>(
    work: (deps: SessionDeps, args: A, signal: AbortSignal) => Promise<R>,
    continuesWork: (args: A) => ContinuesWork = onWhatIsThere,
  ) =>
  async (args: A, signal: AbortSignal): Promise<R> => {
    const uses: ServerLease[] = []
    const serverFor: SessionDeps['serverFor'] = async (project) => {
      const id = settings.servers.serverIdOf(project)
      const use = await settings.servers.lease(id, callLease(signal, continuesWork(args)))
      uses.push(use)
      return use.server
    }
    try {
      return await work({ ...settings, counts, serverFor }, args, signal)
    } finally {
      for (const use of uses) use.release()
    }
  }

export const sessionHandlers = (settings: SessionSettings): Pick<CallHandlers, SessionCall> => {
  const call = holding(settings, new MessageCounts())
  return {
    'session.create': call(createSession, onNew),
    'session.list': call(listSessions),
    'session.count': call((deps, _args: unknown, signal) => countSessions(deps, signal)),
    'session.read': call(readSession),
    'session.update': call(updateSession),
    'session.delete': call(deleteSession),
    'session.abort': call(abortSession),
    'session.fork': call(forkSession, onNew),
    'session.init': call(initSession, onNew),
    'session.compact': call(compactSession, onNew),
    'session.share': call(shareSession),
    'session.unshare': call(unshareSession),
    'session.revert': call(revertSession),
    'session.unrevert': call(unrevertSession),
    'session.messages': call(readMessages),
    'session.message': call(sendMessage, onTurn),
    'session.turn': call(readTurn),
    'session.asks': call(listAsks),
    'session.permission': call(replyPermission),
    'session.question': call(replyQuestion),
    'session.todo': call(readTodo),
    'session.diff': call(readDiff),
    'session.events': call(readEvents),
    'session.find': call(findFiles),
    'session.changes': call(listChanges),
    'session.patch': call(readPatch),
    'session.files': call(listDirectory),
    'session.file': call(readContent),
    'directory.config': call(readConfig),
    'directory.providers': call(listProviders),
    'directory.agents': call(listAgents),
  }
}
