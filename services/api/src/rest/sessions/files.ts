// Routes for the files of a session's directory.

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
    summary: 'Find files by name',
    params: SESSION,
    query: z.strictObject({
      query: z
        .string()
        .min(1)
        .max(500)
        .meta({ description: 'Characters of the path in order, not necessarily adjacent' }),
      limit: queryInteger(1, MAX_FOUND_FILES).optional().meta({ description: 'Default 50' }),
    }),
    result: FoundFiles,
    returns: "Paths relative to the session's directory, best match first",
    run: async ({ call, params: { sid }, query }) => {
      const files = await service.findFiles(call, sid, query.query, query.limit ?? DEFAULT_FOUND)
      return { files: [...files], total: files.length }
    },
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/file',
    operationId: 'readSessionFile',
    summary: 'Read a file',
    params: SESSION,
    query: z.strictObject({
      path: pathSchema.min(1).meta({ description: "Relative to the session's directory" }),
      type: z
        .enum(['raw', 'patch'])
        .optional()
        .meta({ description: 'raw (default) is the content, patch the difference from the last commit' }),
      offset: queryInteger(0, Number.MAX_SAFE_INTEGER).optional().meta({ description: 'Bytes to skip' }),
      limit: queryInteger(1, LIMITS.fileBytes).optional().meta({ description: 'Maximum number of bytes' }),
    }),
    result: SessionFile,
    returns: 'The content, or part of it',
    failures: [410],
    run: async ({ call, params: { sid }, query: { path, type = 'raw', offset = 0, limit = DEFAULT_BYTES } }) => {
      if (type === 'raw') return { type, ...(await service.file(call, sid, path, { offset, limit })) }
      const content = await service.patch(call, sid, path)
      return { type, path, content, encoding: 'utf-8' as const, size: Buffer.byteLength(content), truncated: false }
    },
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/file/list',
    operationId: 'listSessionFiles',
    summary: 'List a directory',
    params: SESSION,
    query: z.strictObject({ path: pathSchema.optional().meta({ description: "Default: the session's directory" }) }),
    result: FileList.omit({ task_id: true }).meta({ id: 'SessionFileList' }),
    returns: 'The entries',
    failures: [410],
    run: async ({ call, params: { sid }, query }) => await service.files(call, sid, query.path ?? '.'),
  })
  addOperation(app, {
    method: 'get',
    path: '/session/{sid}/file/status',
    operationId: 'getSessionFileStatus',
    summary: 'List uncommitted changes',
    params: SESSION,
    result: FileStatus,
    returns: 'The changed files, including untracked ones',
    run: async ({ call, params: { sid } }) => {
      const { files } = await service.callById('session.changes', call, sid)
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
    summary: 'Read the changes of a session',
    description:
      "Returns the difference between the session's directory and its last commit. With `messageID` it returns what the turn of that message changed, if OpenCode's snapshots are enabled.",
    params: SESSION,
    query: z.strictObject({ messageID: messageIdSchema.optional() }),
    result: SessionDiff,
    returns: 'A unified diff and the list of changed files',
    run: async ({ call, params: { sid }, query }) => await service.diff(call, sid, query.messageID),
  })
}
