// What this worker does for each call about sessions.

import type { CallHandlers } from '../calls/calls.ts'
import { listAsks, replyPermission, replyQuestion } from './asks.ts'
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
import { readMessages, readTurn, sendMessage } from './messages.ts'
import { compactSession, initSession } from './model-work.ts'

type SessionCall = Extract<keyof CallHandlers, `session.${string}` | `directory.${string}`>

export const sessionHandlers = (deps: SessionDeps): Pick<CallHandlers, SessionCall> => ({
  'session.create': (args, signal) => createSession(deps, args, signal),
  'session.list': (args, signal) => listSessions(deps, args, signal),
  'session.count': (_args, signal) => countSessions(deps, signal),
  'session.read': (args, signal) => readSession(deps, args, signal),
  'session.update': (args, signal) => updateSession(deps, args, signal),
  'session.delete': (args, signal) => deleteSession(deps, args, signal),
  'session.abort': (args, signal) => abortSession(deps, args, signal),
  'session.fork': (args, signal) => forkSession(deps, args, signal),
  'session.init': (args, signal) => initSession(deps, args, signal),
  'session.compact': (args, signal) => compactSession(deps, args, signal),
  'session.share': (args, signal) => shareSession(deps, args, signal),
  'session.unshare': (args, signal) => unshareSession(deps, args, signal),
  'session.revert': (args, signal) => revertSession(deps, args, signal),
  'session.unrevert': (args, signal) => unrevertSession(deps, args, signal),
  'session.messages': (args, signal) => readMessages(deps, args, signal),
  'session.message': (args, signal) => sendMessage(deps, args, signal),
  'session.turn': (args, signal) => readTurn(deps, args, signal),
  'session.asks': (args, signal) => listAsks(deps, args, signal),
  'session.permission': (args, signal) => replyPermission(deps, args, signal),
  'session.question': (args, signal) => replyQuestion(deps, args, signal),
  'session.todo': (args, signal) => readTodo(deps, args, signal),
  'session.diff': (args, signal) => readDiff(deps, args, signal),
  'session.events': (args, signal) => readEvents(deps, args, signal),
  'session.find': (args, signal) => findFiles(deps, args, signal),
  'session.changes': (args, signal) => listChanges(deps, args, signal),
  'session.patch': (args, signal) => readPatch(deps, args, signal),
  'session.files': (args, signal) => listDirectory(deps, args, signal),
  'session.file': (args, signal) => readContent(deps, args, signal),
  'directory.config': (args, signal) => readConfig(deps, args, signal),
  'directory.providers': (args, signal) => listProviders(deps, args, signal),
  'directory.agents': (args, signal) => listAgents(deps, args, signal),
})
