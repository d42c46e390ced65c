// Removes what is past its retention time: working directories of ended tasks, events, and records.

import { tmpdir } from 'node:os'
import type { Config } from '@switchyard/config'
import type { TaskId } from '@switchyard/contracts'
import { removeStaleStaging } from '@switchyard/git'
import { type Repeating, repeat } from '@switchyard/process'
import { deleteOldTasks, deleteOldUsage, findExpiredWorkspaces, pruneEvents } from '@switchyard/records'
import { abortPendingSessions } from './pending-aborts.ts'
import { type RemoveWorkspaceDeps, removeWorkspace } from './remove-workspace.ts'

export type RetentionDeps = RemoveWorkspaceDeps & { readonly retention: Config['retention'] }

const ABORTS_INTERVAL_MS = 2_000
const STAGING_INTERVAL_MS = 5_000
/** For a retention time that is shorter, the interval is that time. */
const MAX_INTERVAL_MS = 60_000
const MIN_INTERVAL_MS = 1_000
const BATCH = 50
/**
 * A directory that cannot be removed is skipped for so long, so that it does not delay the others,
 * ms.
 */
const SKIP_MS = 10 * 60_000

/** @param skipped - until when a task is skipped, ms since 1970. */
const removeExpired = async (deps: RetentionDeps, skipped: Map<TaskId, number>): Promise<void> => {
  const { records, retention, servers, layout, logger } = deps
  await records.withLock('clearing', async () => {
    for (const [id, until] of skipped) if (until < Date.now()) skipped.delete(id)
    for (const row of await findExpiredWorkspaces(records.db, retention.workspacesMs, BATCH, [...skipped.keys()]))
      await removeWorkspace(deps, row).catch((error: unknown) => {
        skipped.set(row.id, Date.now() + SKIP_MS)
        logger.warn({ task_id: row.id, err: error }, 'failed to remove working directory; retrying later')
      })
    await servers.tasks.removeLeftovers(layout.servers)
    await pruneEvents(records.db, retention.eventsMs, BATCH)
    await deleteOldTasks(records.db, retention.recordsMs, BATCH)
    await deleteOldUsage(records.db, retention.recordsMs)
  })
}

export const startRetention = (deps: RetentionDeps): Pick<Repeating, 'stop'> => {
  const { logger, retention, layout } = deps
  const skipped = new Map<TaskId, number>()
  const loops = [
    repeat({ name: 'session abort', everyMs: ABORTS_INTERVAL_MS, work: () => abortPendingSessions(deps), logger }),
    repeat({
      name: 'staging cleanup',
      everyMs: STAGING_INTERVAL_MS,
      work: () => removeStaleStaging([tmpdir(), layout.tasks]),
      logger,
    }),
    repeat({
      name: 'retention',
      everyMs: Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, retention.workspacesMs)),
      work: () => removeExpired(deps, skipped),
      logger,
    }),
  ]
  return {
    stop: async () => {
      for (const loop of loops) await loop.stop()
    },
  }
}
