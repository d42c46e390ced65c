// Has a task run alone, because its server has died too often under it: on a server of its own, or where
// none can be started, one such task at a time. A task that kills its server is found this way, without
// harm to others.

import { setTimeout as delay } from 'node:timers/promises'
import { isSwitchyardError } from '@switchyard/contracts'
import { copySession, type OpenCodeServer, type SessionRef } from '@switchyard/opencode'
import { beginAlone, settleOwnServer, type TaskRow, taskOfServer, taskServerId } from '@switchyard/records'
import type { ServerLease } from '../../servers/server-leases.ts'
import { type RunContext, raiseRequested, type TaskRunDeps } from '../execution.ts'
import { recordResumption } from './send-prompt.ts'
import { mustRunAlone } from './server-deaths.ts'
import { untilServerReady } from './until-server-ready.ts'

/**
 * Each own server takes 400 MB or more, so they start one after another. A task that kills its server
 * usually does so soon.
 */
const OWN_SERVERS = { atOnce: 2, countedMs: 30_000 } as const
/** On a shared server, the cause of a death is certain only if no other suspect runs. */
const ON_SHARED_SERVER = { atOnce: 1, countedMs: null } as const
/** How often a waiting task tries to run alone, ms. */
const RETRY_MS = 1_000
/** How long the session may take to return to the shared server, ms. */
const RETURN_MS = 20_000

export const hasOwnServer = ({ server_id }: TaskRow): boolean =>
  server_id !== null && taskOfServer(server_id) !== undefined

/**
 * Resolves when the task runs alone and the prompt that resumes its turn is recorded, or when another task
 * is found to have killed the server. The prompt is not sent.
 *
 * @returns the lease of the task's own server; null if it continues on the server where it was
 * @throws Interrupted by the run's interrupt; SwitchyardError
 */
export const runAlone = async (
  run: RunContext,
  ref: SessionRef,
  server: OpenCodeServer,
): Promise<ServerLease | null> => {
  const { deps, record, interrupt } = run
  const { isAvailable } = deps.servers.tasks
  const limits = isAvailable ? OWN_SERVERS : ON_SHARED_SERVER
  for (;;) {
    await record.refresh()
    raiseRequested(record, interrupt)
    interrupt.check()
    if (!mustRunAlone(record.row.suspicious_deaths)) {
      await recordResumption(record, 'another task killed the server; the turn continues in the same session', {
        set: {},
        data: { found: 'interrupted' },
      })
      return null
    }
    if (await record.untilAvailable(() => beginAlone(record.db, record.row, limits))) break
    await delay(RETRY_MS, undefined, { signal: interrupt.signal })
  }
  await record.refresh()
  const message = `the server died ${record.row.server_deaths} times while this task ran; it continues alone`
  const data = { found: 'interrupted', alone: true, own_server: isAvailable }
  if (!isAvailable) {
    await recordResumption(record, message, { set: {}, data })
    return null
  }
  const id = taskServerId(record.row.id)
  const own = await deps.servers.lease(id, { signal: interrupt.signal })
  try {
    await copyWithRetries(server, own.server, ref, interrupt.signal)
    await recordResumption(record, `${message}, on a server of its own`, {
      set: { server_id: id, home_server_id: record.row.server_id },
      data,
    })
    return own
  } catch (error) {
    own.release()
    throw error
  }
}

/** Retries while one of the servers is unavailable. */
const copyWithRetries = async (
  from: OpenCodeServer,
  to: OpenCodeServer,
  ref: SessionRef,
  signal: AbortSignal,
): Promise<void> => {
  for (;;) {
    try {
      return await copySession({ from: from.client, to: to.client }, ref, { signal })
    } catch (error) {
      if (!isSwitchyardError(error, 'opencode_unavailable')) throw error
      await Promise.all([untilServerReady(from, signal), untilServerReady(to, signal)])
    }
  }
}

/** Copies the session of an ended task back to the server that others use, and removes the task's own one. */
export const returnSession = async (
  { records, servers, logger }: TaskRunDeps,
  { id, home_server_id: home }: TaskRow,
  ref: SessionRef,
  own: OpenCodeServer,
): Promise<void> => {
  const signal = AbortSignal.timeout(RETURN_MS)
  try {
    const lease = await servers.lease(home, { signal })
    try {
      await copySession({ from: own.client, to: lease.server.client }, ref, { signal })
    } finally {
      lease.release()
    }
  } catch (error) {
    logger.warn({ task_id: id, err: error }, "failed to copy the session back from the task's own server")
  }
  await servers.tasks.remove(id, own)
  await settleOwnServer(records.db, id, home)
}
