// The files that a session works on.

import { LIMITS, MAX_FOUND_FILES, messageIdSchema } from '@switchyard/contracts'
import { z } from 'zod'
import type { SessionService } from '../../sessions/service.ts'
import type { RestApp } from '../route.ts'
import { FileList, queryInteger } from '../schemas.ts'
import { addOperation } from './operation.ts'
import { FileStatus, FoundFiles, SessionDiff, SessionFile } from './schemas.ts'
import { SESSION } from './sessions.ts'

const DEFAULT_FOUND = 50
const DEFAULT_BYTES = 262_144

const pathSchema = z.string().max(4_096)

export const addFileOperations = (app: RestApp, service: SessionService): void => {
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/find/file',
    operationId: 'findSessionFiles',
    summary: 'Find files by a part of their name',
    params: SESSION,
    query: z.strictObject({
      query: z.string().min(1).max(500).meta({ description: 'A part of the path, not necessarily in one piece' }),
      limit: queryInteger(1, MAX_FOUND_FILES).optional().meta({ description: 'Default 50' }),
    }),
    result: FoundFiles,
    says: 'Paths relative to the session’s directory, the nearest first',
    run: async ({ on, params: { sid }, query }) => {
      const files = await service.findFiles(on, sid, query.query, query.limit ?? DEFAULT_FOUND)
      return { files: [...files], total: files.length }
    },
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/file',
    operationId: 'readSessionFile',
    summary: 'Read a file of the session’s directory',
    params: SESSION,
    query: z.strictObject({
      path: pathSchema.min(1).meta({ description: 'Relative to the session’s directory' }),
      type: z.enum(['raw', 'patch']).optional().meta({ description: 'patch: what differs from the last commit' }),
      offset: queryInteger(0, Number.MAX_SAFE_INTEGER).optional().meta({ description: 'Bytes to skip' }),
      limit: queryInteger(1, LIMITS.fileBytes).optional().meta({ description: 'Bytes at most' }),
    }),
    result: SessionFile,
    says: 'The content, or a part of it',
    failures: [410],
    run: async ({ on, params: { sid }, query: { path, type = 'raw', offset = 0, limit = DEFAULT_BYTES } }) => {
      if (type === 'raw') return { type, ...(await service.file(on, sid, path, { offset, limit })) }
      const content = await service.patch(on, sid, path)
      return { type, path, content, encoding: 'utf-8' as const, size: Buffer.byteLength(content), truncated: false }
    },
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/file/list',
    operationId: 'listSessionFiles',
    summary: 'List a directory',
    params: SESSION,
    query: z.strictObject({ path: pathSchema.optional().meta({ description: 'Default: the session’s directory' }) }),
    result: FileList.omit({ task_id: true }).meta({ id: 'SessionFileList' }),
    says: 'The entries',
    failures: [410],
    run: async ({ on, params: { sid }, query }) => await service.files(on, sid, query.path ?? '.'),
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/file/status',
    operationId: 'getSessionFileStatus',
    summary: 'What differs from the last commit',
    params: SESSION,
    result: FileStatus,
    says: 'The changed files, untracked ones among them',
    run: async ({ on, params: { sid } }) => {
      const { files } = await service.one('session.changes', on, sid)
      const count = (wanted: string) => files.filter(({ status }) => status === wanted).length
      return {
        files,
        total: files.length,
        modified: count('modified'),
        added: count('added'),
        deleted: count('deleted'),
      }
    },
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/diff',
    operationId: 'getSessionDiff',
    summary: 'What was changed',
    description:
      'The session’s directory against its last commit; with `messageID` what the turn of that message changed, where OpenCode takes snapshots.',
    params: SESSION,
    query: z.strictObject({ messageID: messageIdSchema.optional() }),
    result: SessionDiff,
    says: 'A unified diff, and the files',
    run: async ({ on, params: { sid }, query }) => await service.diff(on, sid, query.messageID),
  })
}
