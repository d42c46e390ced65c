// Sessions: made, found, changed, ended.

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
  sid: z.string().meta({ description: 'The session’s id', examples: ['ses_e02f8243bffe2huWM1kKf0JzbG'] }),
})

const DEFAULT_PAGE = 100

/** A model as `model`, or in the two fields of the published API. @throws SwitchyardError `invalid_request` */
const modelOf = (input: z.output<typeof CompactSession>) => {
  const { model, providerID, modelID } = input
  if (model !== undefined) return model
  if (providerID !== undefined && modelID !== undefined) return { providerID, modelID }
  if (providerID === undefined && modelID === undefined) return undefined
  throw new SwitchyardError('invalid_request', 'providerID and modelID: one without the other')
}

export const addSessionOperations = (app: RestApp, service: SessionService): void => {
  addOperation(app, {
    method: 'get',
    path: '/session',
    operationId: 'listSessions',
    summary: 'List sessions, the last changed first',
    description: 'Those of the whole project, or of one worktree. A session that a task made has its `taskID`.',
    params: z.object({}),
    query: z.strictObject({
      worktree: z.string().max(200).optional().meta({ description: 'A sandbox by its name' }),
      directory: z.string().max(4_096).optional().meta({ description: 'The base checkout or a sandbox by its path' }),
      limit: queryInteger(1, MAX_SESSIONS).optional().meta({ description: 'Default 100' }),
      offset: queryInteger(0, MAX_SESSION_OFFSET).optional(),
    }),
    result: SessionList,
    says: 'A page of sessions',
    run: async ({ on, query: { limit = DEFAULT_PAGE, offset = 0, ...of } }) =>
      await service.list(on, of, { limit, offset }),
  })
  addOperation(app, {
    method: 'post',
    path: '/session',
    operationId: 'createSession',
    summary: 'Make a session',
    description: 'It asks before it acts, unless `permissions` says otherwise: its asks are answered through this API.',
    params: z.object({}),
    body: CreateSession,
    isBodyOptional: true,
    result: Session,
    says: 'The new session',
    failures: [422],
    run: async ({ on, body }) => await service.create(on, body),
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}',
    operationId: 'getSession',
    summary: 'Read a session',
    params: SESSION,
    result: Session,
    says: 'The session',
    run: async ({ on, params: { sid } }) => (await service.one('session.read', on, sid)).session,
  })
  addOperation(app, {
    method: 'patch',
    path: '/session/{sid}',
    operationId: 'changeSession',
    summary: 'Rename a session, or change its metadata',
    params: SESSION,
    body: ChangeSession,
    result: Session,
    says: 'The session as it is now',
    run: async ({ on, params: { sid }, body }) => await service.change(on, sid, body),
  })
  addOperation(app, {
    method: 'delete',
    path: '/session/{sid}',
    operationId: 'deleteSession',
    summary: 'End and delete a session',
    description: 'Its turn is aborted first. What it changed in the files stays.',
    params: SESSION,
    result: z.object({ deleted: z.boolean() }),
    says: 'It is gone',
    run: async ({ on, params: { sid } }) => {
      await service.one('session.delete', on, sid)
      return { deleted: true }
    },
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/abort',
    operationId: 'abortSession',
    summary: 'End what a session does, and its subagents with it',
    params: SESSION,
    result: z.object({ aborted: z.array(z.string()) }),
    says: 'The sessions that were ended',
    run: async ({ on, params: { sid } }) => await service.one('session.abort', on, sid),
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
    says: 'The copy, in the same directory',
    run: async ({ on, params: { sid }, body }) => await service.fork(on, sid, body),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/init',
    operationId: 'initSession',
    summary: 'Have the session write AGENTS.md',
    description: 'Answers when the model has; `running` says that it goes on, or that it asks something: see `ask`.',
    params: SESSION,
    body: InitSession,
    isBodyOptional: true,
    result: z.object({ running: z.boolean(), messageID: z.string() }),
    says: 'What came of it',
    failures: [410, 422],
    run: async ({ on, params: { sid }, body }) =>
      await service.init(on, sid, { messageID: body.messageID, model: modelOf(body) }),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/compact',
    operationId: 'compactSession',
    summary: 'Put a summary in the place of the messages so far',
    description: 'For the model; the messages stay readable. Answers when the summary is written, or with `running`.',
    params: SESSION,
    body: CompactSession,
    isBodyOptional: true,
    result: z.object({ compacted: z.boolean(), running: z.boolean() }),
    says: 'What came of it',
    failures: [422],
    run: async ({ on, params: { sid }, body }) => {
      const { running } = await service.compact(on, sid, modelOf(body))
      return { compacted: !running, running }
    },
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/share',
    operationId: 'shareSession',
    summary: 'Share a session on OpenCode’s public service',
    description: 'Whoever has the address can read it. `sharing_unavailable` where sharing is off or not reached.',
    params: SESSION,
    result: z.object({ shared: z.boolean(), shareURL: z.string() }),
    says: 'The address',
    run: async ({ on, params: { sid } }) => {
      const { url } = await service.one('session.share', on, sid)
      return { shared: true, shareURL: url }
    },
  })
  addOperation(app, {
    method: 'delete',
    path: '/session/{sid}/share',
    operationId: 'unshareSession',
    summary: 'Take a session’s public page away',
    params: SESSION,
    result: z.object({ shared: z.boolean() }),
    says: 'It is not shared',
    run: async ({ on, params: { sid } }) => {
      await service.one('session.unshare', on, sid)
      return { shared: false }
    },
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/revert',
    operationId: 'revertSession',
    summary: 'Take back a message and all that followed',
    description: 'Its changes of files too, where OpenCode takes snapshots (`snapshot` in its configuration).',
    params: SESSION,
    body: RevertSession,
    result: Session,
    says: 'The session as it is now',
    run: async ({ on, params: { sid }, body }) => await service.revert(on, sid, body),
  })
  addOperation(app, {
    method: 'post',
    path: '/session/{sid}/unrevert',
    operationId: 'unrevertSession',
    summary: 'Bring back what was taken back',
    description: 'Possible until the next message is sent.',
    params: SESSION,
    result: Session,
    says: 'The session as it is now',
    run: async ({ on, params: { sid } }) => (await service.one('session.unrevert', on, sid)).session,
  })
}
