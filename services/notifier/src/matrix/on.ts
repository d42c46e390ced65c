// Matrix put together. It is loaded where Matrix is configured, and only there: its library takes memory.

import { setTimeout as delay } from 'node:timers/promises'
import { Homeserver, MatrixChannel } from '@switchyard/channels/matrix'
import type { Config, MatrixSettings } from '@switchyard/config'
import { repeat } from '@switchyard/process'
import { type Bus, type QueueConnection, TaskQueue } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import type { SteeringDeps, Wait } from '@switchyard/steering'
import { TaskWorkspaces, WorkerCalls } from '@switchyard/worker-calls'
import type { Logger } from 'pino'
import { act } from './act.ts'
import { leaveOutlivedRooms } from './leave.ts'
import { startListener } from './listener.ts'
import { Obedience } from './obey.ts'
import { threadStore } from './threads.ts'

export type MatrixDeps = {
  readonly config: Pick<Config, 'matrix' | 'retention'>
  readonly records: Records
  readonly connection: QueueConnection
  readonly bus: Pick<Bus, 'publishTask' | 'publishCommand' | 'publishHint' | 'onHint'>
  readonly logger: Logger
}

export type Matrix = {
  readonly channel: Pick<MatrixChannel, 'send' | 'timeoutMs'>
  /** Hears no more; the channel goes on until nobody uses it. */
  readonly close: () => Promise<void>
}

/** The record alone is asked: few wait here, and not for long. */
const wait: Wait = async (_id, { timeoutMs, everyMs }, look) => {
  const ends = Date.now() + timeoutMs
  for (;;) {
    const found = await look()
    const left = ends - Date.now()
    if (found !== undefined || left <= 0) return found
    await delay(Math.min(left, everyMs))
  }
}

/** Rooms that are left in one round, and how often there is one, ms. */
const ROOMS = 20
const LEAVE_EVERY_MS = 10_000

const NOBODY = { close: async () => {} }

const listen = (deps: MatrixDeps, homeserver: Homeserver, { allowedUsers }: MatrixSettings) => {
  const { records, connection, bus, logger } = deps
  if (allowedUsers.length === 0) {
    logger.info('MATRIX_ALLOWED_USERS is not set: nobody can steer tasks or answer in Matrix')
    return NOBODY
  }
  const queue = new TaskQueue(connection, logger)
  const steering: SteeringDeps = { records, bus, queue, logger, wait }
  const obedience = new Obedience({ steering, workspaces: new TaskWorkspaces(records, new WorkerCalls(records, bus)) })
  const acting = { homeserver, records, obedience, logger }
  const listener = startListener({
    homeserver,
    records,
    allowedUsers,
    act: (heard, signal) => act(acting, heard, signal),
    logger,
  })
  return {
    close: async () => {
      await listener.close()
      await queue.close()
    },
  }
}

export const switchOn = (deps: MatrixDeps, settings: MatrixSettings): Matrix => {
  const { homeserverUrl: url, accessToken, userId } = settings
  const homeserver = new Homeserver({ url, accessToken, userId })
  const { records, logger } = deps
  const listening = listen(deps, homeserver, settings)
  const leave = () => leaveOutlivedRooms({ homeserver, records, logger }, deps.config.retention.workspacesMs, ROOMS)
  const leaving = repeat({ name: 'leaving Matrix rooms of old tasks', everyMs: LEAVE_EVERY_MS, work: leave, logger })
  return {
    channel: new MatrixChannel(homeserver, settings, threadStore(records)),
    close: async () => {
      await listening.close()
      await leaving.stop()
    },
  }
}
