// Clears up after tasks that have ended: sessions that could not be stopped, working directories, events and records
// past their time. What an agent did and nobody fetched is bundled before its directory goes.

import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { Config } from '@switchyard/config'
import { isSwitchyardError, type TaskId } from '@switchyard/contracts'
import { bundleWork, clearStaging, ownPlaceOf, type Repositories, type RepositoryIdentity } from '@switchyard/git'
import { type Repeating, repeat } from '@switchyard/process'
import {
  countOpenTasks,
  deleteOldTasks,
  findExpiredWorkspaces,
  findPendingAborts,
  findProject,
  markAborted,
  markWorkspaceRemoved,
  pruneEvents,
  type Records,
  settleAbortsOfStopped,
  type TaskRow,
} from '@switchyard/records'
import { type Layout, objectDirectories, projectIdentity } from '@switchyard/workspace'
import type { Logger } from 'pino'
import { secureClone } from '../projects/work.ts'
import type { ServerPool } from '../servers/server-pool.ts'

export type ClearingDeps = {
  readonly records: Records
  readonly servers: ServerPool
  readonly repositories: Repositories
  readonly layout: Layout
  readonly retention: Config['retention']
  readonly logger: Logger
}

const ABORTS_EVERY_MS = 2_000
const STAGING_EVERY_MS = 5_000
const EXPIRED_EVERY_MS = 60_000
const BATCH = 50
/** One that could not be removed, with a file too large for a bundle, say, does not keep the others waiting, ms. */
const PUT_OFF_MS = 10 * 60_000

/** The server is back: what runs there for a task that has ended is stopped. */
const stopSessions = async ({ records, servers, logger }: ClearingDeps): Promise<void> => {
  await settleAbortsOfStopped(records.db)
  for (const { id, server } of servers.running())
    for (const row of await findPendingAborts(records.db, id, BATCH)) {
      if (row.session_id !== null && row.directory !== null) {
        try {
          await server.client.abortTree({ sessionId: row.session_id, directory: row.directory })
        } catch (error) {
          if (!isSwitchyardError(error, 'session_lost')) throw error
        }
      }
      await markAborted(records.db, row.id)
      logger.info({ task_id: row.id }, 'stopped the session of a task that had ended')
    }
}

/** The clone of a repository that nobody registered goes with the last directory of a task that was made of it. */
const forgetUnused = async (deps: ClearingDeps, projectId: string, identity: RepositoryIdentity): Promise<void> => {
  const { records, repositories } = deps
  await records.withLock(`project:${projectId}`, async () => {
    if ((await findProject(records.db, projectId))?.registered_at) return
    await repositories.forget(identity, async () => {
      if ((await countOpenTasks(records.db, [projectId])).length > 0) return false
      await secureClone(deps, identity, { goes: [], force: true, isThin: true })
      return true
    })
  })
}

const removeWorkspace = async (deps: ClearingDeps, row: TaskRow): Promise<void> => {
  const { records, repositories, layout, servers } = deps
  const directory = layout.task(row)
  if (row.directory === directory && row.base_commit !== null) {
    const identity = row.project_id === null ? null : await projectIdentity(records, row.project_id)
    const place = identity ? repositories.placeOf(identity, directory) : ownPlaceOf(directory)
    await bundleWork({
      directory,
      base: row.base_commit,
      objectDirs: await objectDirectories(deps, row),
      // What its agent has broken is saved as far as it can be read.
      place: await place.catch(() => undefined),
      file: layout.bundle(`${row.id}.bundle`),
      branch: row.branch ?? row.id,
    })
    if (row.mode === 'docker') {
      // Nothing of it is elsewhere: its clone and its session are its own.
      await rm(layout.container(row.id).root, { recursive: true, force: true })
      await rm(layout.output(row.id), { recursive: true, force: true })
    } else {
      if (identity) await repositories.removeWorktree(identity, directory, layout.tasks)
      else await rm(directory, { recursive: true, force: true })
      // Only this one, by its own id: the server may hold sessions that are not ours. No server is started for it.
      const server = servers.peek(row.server_id)
      if (row.session_id !== null && server) {
        await server.client.deleteSession({ sessionId: row.session_id, directory })
        await server.client.disposeDirectory(directory)
      }
    }
  }
  await markWorkspaceRemoved(records.db, row.id)
  if (row.project_id !== null) await forgetUnused(deps, row.project_id, await projectIdentity(records, row.project_id))
}

/** When those that could not be removed are tried again, by task. */
type PutOff = Map<TaskId, number>

const clearExpired = async (deps: ClearingDeps, putOff: PutOff): Promise<void> => {
  const { records, retention, logger } = deps
  await records.withLock('clearing', async () => {
    for (const [id, until] of putOff) if (until < Date.now()) putOff.delete(id)
    for (const row of await findExpiredWorkspaces(records.db, retention.workspacesMs, BATCH, [...putOff.keys()]))
      await removeWorkspace(deps, row).catch((error: unknown) => {
        putOff.set(row.id, Date.now() + PUT_OFF_MS)
        logger.warn({ task_id: row.id, err: error }, 'a working directory could not be removed')
      })
    await pruneEvents(records.db, retention.eventsMs, BATCH)
    await deleteOldTasks(records.db, retention.recordsMs, BATCH)
  })
}

export const startClearing = (deps: ClearingDeps): Pick<Repeating, 'stop'> => {
  const { logger, retention, layout } = deps
  const putOff: PutOff = new Map()
  const loops = [
    repeat({ name: 'session abort', everyMs: ABORTS_EVERY_MS, work: () => stopSessions(deps), logger }),
    repeat({
      name: 'staging cleanup',
      everyMs: STAGING_EVERY_MS,
      work: () => clearStaging([tmpdir(), layout.tasks]),
      logger,
    }),
    repeat({
      name: 'retention',
      everyMs: Math.min(EXPIRED_EVERY_MS, Math.max(1_000, retention.workspacesMs)),
      work: () => clearExpired(deps, putOff),
      logger,
    }),
  ]
  return {
    stop: async () => {
      for (const loop of loops) await loop.stop()
    },
  }
}
