// Wires the Matrix channel, the sync listener and the clean-up of rooms. It is loaded only if Matrix is
// configured, because its library takes memory.

import { setTimeout as delay } from 'node:timers/promises'
import { Homeserver, MatrixChannel } from '@switchyard/channels/matrix'
import type { Config, MatrixSettings } from '@switchyard/config'
import { repeat } from '@switchyard/process'
import { type Bus, type QueueConnection, TaskQueue } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import type { SteeringDeps, Wait } from '@switchyard/steering'
import { TaskWorkspaces, WorkerCalls } from '@switchyard/worker-calls'
import type { Logger } from 'pino'
import { handleEvent } from './handle-event.ts'
import { leaveOldRooms } from './leave-rooms.ts'
import { MatrixCommands } from './matrix-commands.ts'
import { startListener } from './sync-listener.ts'
import { threadStore } from './thread-store.ts'

export type MatrixDeps = {
  readonly config: Pick<Config, 'matrix' | 'retention'>
  readonly records: Records
  readonly connection: QueueConnection
  readonly bus: Pick<Bus, 'publishTask' | 'publishCommand' | 'publishHint' | 'onHint'>
  readonly logger: Logger
}

export type Matrix = {
  readonly channel: Pick<MatrixChannel, 'send' | 'timeoutMs'>
  /** Stops listening. The channel can still send. */
  readonly close: () => Promise<void>
}

/** Waits by polling the database: there are few such waits, and they are short. */
const wait: Wait = async (_id, { timeoutMs, everyMs }, look) => {
  const endsAt = Date.now() + timeoutMs
  for (;;) {
    const found = await look()
    const leftMs = endsAt - Date.now()
    if (found !== undefined || leftMs <= 0) return found
    await delay(Math.min(leftMs, everyMs))
  }
}

/** Rooms to leave per round, and the interval of the rounds, ms. */
const ROOMS = 20
const LEAVE_EVERY_MS = 10_000

const NOT_LISTENING = { close: async () => {} }

const listen = (deps: MatrixDeps, homeserver: Homeserver, { allowedUsers }: MatrixSettings) => {
  const { records, connection, bus, logger } = deps
  if (allowedUsers.length === 0) {
    logger.info('MATRIX_ALLOWED_USERS is not set; nobody can steer tasks or answer requests in Matrix')
    return NOT_LISTENING
  }
  const queue = new TaskQueue(connection, logger)
  const steering: SteeringDeps = { records, bus, queue, logger, wait }
  const workspaces = new TaskWorkspaces(records, new WorkerCalls(records, bus))
  const handling = { homeserver, records, commands: new MatrixCommands({ steering, workspaces }), logger }
  const listener = startListener({
    homeserver,
    records,
    allowedUsers,
    handle: (event, signal) => handleEvent(handling, event, signal),
    logger,
  })
  return {
    close: async () => {
      await listener.close()
      await queue.close()
    },
  }
}

/** Starts to listen, if anyone may steer tasks, and returns the channel. */
export const connectMatrix = (deps: MatrixDeps, settings: MatrixSettings): Matrix => {
  const { homeserverUrl: url, accessToken, userId } = settings
  const homeserver = new Homeserver({ url, accessToken, userId })
  const { records, logger } = deps
  const listening = listen(deps, homeserver, settings)
  const leave = () => leaveOldRooms({ homeserver, records, logger }, deps.config.retention.workspacesMs, ROOMS)
  const leaving = repeat({ name: 'leaving Matrix rooms of old tasks', everyMs: LEAVE_EVERY_MS, work: leave, logger })
  return {
    channel: new MatrixChannel(homeserver, settings, threadStore(records)),
    close: async () => {
      await listening.close()
      await leaving.stop()
    },
  }
}
