// Routes that create, list, change and delete sessions.

import { MAX_SESSION_OFFSET, MAX_SESSIONS, SwitchyardError } from '@switchyard/contracts'
import { z } from 'zod'
import type { SessionService } from '../../sessions/service.ts'
import type { RestApp } from '../route.ts'
import { queryInteger } from '../schemas.ts'
import { addOperation } from './operation.ts'
import {
  ChangeSession,
  CompactSession,
  CreateSession,
  ForkSession,
  InitSession,
  RevertSession,
  Session,
  SessionList,
} from './schemas.ts'

export const SESSION = z.object({
  sid: z.string().meta({ description: 'The session id', examples: ['ses_e02f8243bffe2huWM1kKf0JzbG'] }),
})

const DEFAULT_PAGE = 100

/** Returns the model from `model` or from the two fields of the published API. @throws SwitchyardError `invalid_request` */
const modelOf = (input: z.output<typeof CompactSession>) => {
  const { model, providerID, modelID } = input
  if (model !== undefined) return model
  if (providerID !== undefined && modelID !== undefined) return { providerID, modelID }
  if (providerID === undefined && modelID === undefined) return undefined
  throw new SwitchyardError('invalid_request', 'providerID and modelID: both are required')
}

export const addSessionOperations = (app: RestApp, service: SessionService): void => {
  addOperation(app, {
    method: 'get',
    path: '/session',
    operationId: 'listSessions',
    summary: 'List sessions, most recently updated first',
    description:
      'Returns the sessions of the whole project, or of one worktree. The session of a task has its `taskID`.',
    params: z.object({}),
    query: z.strictObject({
      worktree: z.string().max(200).optional().meta({ description: 'The name of a sandbox' }),
      directory: z.string().max(4_096).optional().meta({ description: 'The path of the checkout or a sandbox' }),
      limit: queryInteger(1, MAX_SESSIONS).optional().meta({ description: 'Default 100' }),
      offset: queryInteger(0, MAX_SESSION_OFFSET).optional(),
    }),
    result: SessionList,
    returns: 'A page of sessions',
    run: async ({ call, query: { limit = DEFAULT_PAGE, offset = 0, ...of } }) =>
      await service.list(call, of, { limit, offset }),
  })
  addOperation(app, {
    method: 'post',
    path: '/session',
    operationId: 'createSession',
    summary: 'Create a session',
    description:
      'The session requests permission before it acts, unless you set `permissions`. Reply to its requests through this API.',
    params: z.object({}),
    body: CreateSession,
    isBodyOptional: true,
    result: Session,
    returns: 'The new session',
    failures: [422],
    run: async ({ call, body }) => await service.create(call, body),
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}',
    operationId: 'getSession',
    summary: 'Read a session',
    params: SESSION,
    result: Session,
    returns: 'The session',
    run: async ({ call, params: { sid } }) => (await service.callById('session.read', call, sid)).session,
  })
  addOperation(app, {
    method: 'patch',
    path: '/session/{sid}',
    operationId: 'changeSession',
    summary: 'Rename a session, or change its metadata',
    params: SESSION,
    body: ChangeSession,
    result: Session,
    returns: 'The changed session',
    run: async ({ call, params: { sid }, body }) => await service.change(call, sid, body),
  })
  addOperation(app, {
    method: 'delete',
    path: '/session/{sid}',
    operationId: 'deleteSession',
    summary: 'Delete a session',
    description: 'Aborts its turn first. Its file changes stay.',
    params: SESSION,
    result: z.object({ deleted: z.boolean() }),
    returns: 'Deleted',
    run: async ({ call, params: { sid } }) => {
      await service.callById('session.delete', call, sid)
      return { deleted: true }
    },
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/abort',
    operationId: 'abortSession',
    summary: 'Abort the turn of a session and its subagents',
    params: SESSION,
    result: z.object({ aborted: z.array(z.string()) }),
    returns: 'The ids of the aborted sessions',
    run: async ({ call, params: { sid } }) => await service.callById('session.abort', call, sid),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/fork',
    operationId: 'forkSession',
    summary: 'Copy a session',
    params: SESSION,
    body: ForkSession,
    isBodyOptional: true,
    result: Session,
    returns: 'The copy, in the same directory',
    run: async ({ call, params: { sid }, body }) => await service.fork(call, sid, body),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/init',
    operationId: 'initSession',
    summary: 'Have the session write AGENTS.md',
    description:
      'Returns when the model has finished. `running` means that it is still working or has a pending request.',
    params: SESSION,
    body: InitSession,
    isBodyOptional: true,
    result: z.object({ running: z.boolean(), messageID: z.string() }),
    returns: 'The outcome',
    failures: [410, 422],
    run: async ({ call, params: { sid }, body }) =>
      await service.init(call, sid, { messageID: body.messageID, model: modelOf(body) }),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/compact',
    operationId: 'compactSession',
    summary: 'Replace the conversation so far with a summary',
    description:
      'The model then sees the summary; you can still read the messages. Returns when the summary is complete, or with `running`.',
    params: SESSION,
    body: CompactSession,
    isBodyOptional: true,
    result: z.object({ compacted: z.boolean(), running: z.boolean() }),
    returns: 'The outcome',
    failures: [422],
    run: async ({ call, params: { sid }, body }) => {
      const { running } = await service.compact(call, sid, modelOf(body))
      return { compacted: !running, running }
    },
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/share',
    operationId: 'shareSession',
    summary: "Share a session on OpenCode's public service",
    description:
      'Anyone with the URL can read it. Fails with `sharing_unavailable` if sharing is disabled or the service is unreachable.',
    params: SESSION,
    result: z.object({ shared: z.boolean(), shareURL: z.string() }),
    returns: 'The URL',
    run: async ({ call, params: { sid } }) => {
      const { url } = await service.callById('session.share', call, sid)
      return { shared: true, shareURL: url }
    },
  })
  addOperation(app, {
    method: 'delete',
    path: '/session/{sid}/share',
    operationId: 'unshareSession',
    summary: 'Stop sharing a session',
    params: SESSION,
    result: z.object({ shared: z.boolean() }),
    returns: 'No longer shared',
    run: async ({ call, params: { sid } }) => {
      await service.callById('session.unshare', call, sid)
      return { shared: false }
    },
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/revert',
    operationId: 'revertSession',
    summary: 'Revert a message and all later ones',
    description:
      'Also reverts their file changes, if snapshots are enabled in the OpenCode configuration (`snapshot`).',
    params: SESSION,
    body: RevertSession,
    result: Session,
    returns: 'The changed session',
    run: async ({ call, params: { sid }, body }) => await service.revert(call, sid, body),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/unrevert',
    operationId: 'unrevertSession',
    summary: 'Undo a revert',
    description: 'Possible until you send the next message.',
    params: SESSION,
    result: Session,
    returns: 'The changed session',
    run: async ({ call, params: { sid } }) => (await service.callById('session.unrevert', call, sid)).session,
  })
}
