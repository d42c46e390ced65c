// Servers of projects' own as containers, in the stack: they outlive the worker that made them, and the next one takes them over.

import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import type { ServerContainers } from '@switchyard/docker'
import { probe, type RunningServer } from '@switchyard/opencode'
import type { Logger } from 'pino'
import { passwordIn } from '../secrets/server-password.ts'
import type { ServerMaker } from './server-factory.ts'

/** How often it is looked whether a container has ended, ms. */
const LOOK_EVERY_MS = 2_000
/** How long a server may take until it answers, ms. */
const START_MS = 60_000
const TRY_MS = 1_000

export type ContainerMakerOptions = {
  readonly containers: ServerContainers
  /** Each server's password is in a directory in it. */
  readonly root: string
  readonly logger: Logger
}

/** Waits for its end; an engine that is away knows nothing. */
const untilEnded = async (containers: ServerContainers, id: string): Promise<SwitchyardError> => {
  for (;;) {
    await delay(LOOK_EVERY_MS, undefined, { ref: false })
    const found = await containers.look(id).catch((error: unknown) => {
      if (isSwitchyardError(error)) return null
      throw error
    })
    if (found === null || found?.isRunning) continue
    const why = found === undefined ? 'was removed' : found.outOfMemory ? 'ran out of memory' : 'ended'
    return new SwitchyardError('opencode_unavailable', `the server’s container ${why}`)
  }
}

const untilHealthy = async (
  containers: ServerContainers,
  id: string,
  endpoint: { readonly url: string; readonly password: string },
  signal: AbortSignal,
): Promise<string> => {
  for (;;) {
    try {
      return (await probe(endpoint, { timeoutMs: TRY_MS, signal })).version
    } catch (error) {
      signal.throwIfAborted()
      if (!(await containers.look(id))?.isRunning)
        throw new SwitchyardError('opencode_unavailable', 'the server’s container ended before it served', {
          cause: error,
        })
      await delay(100, undefined, { signal })
    }
  }
}

export const containerMaker = ({ containers, root, logger }: ContainerMakerOptions): ServerMaker => {
  const directoryOf = (projectId: string): string => path.join(root, projectId)
  const password = (projectId: string): Promise<string> => passwordIn(directoryOf(projectId))
  const drop = async (id: string, how: 'stop' | 'kill'): Promise<void> => {
    await containers.remove(id, how).catch((error: unknown) => {
      logger.warn({ container_id: id, err: error }, 'a server’s container could not be removed')
    })
  }
  return {
    kind: 'container',
    isPossible: () => containers.isThere(),
    directoryOf,
    password,
    make: ({ projectId, id: serverId, settings }) => ({
      kind: 'container',
      id: serverId,
      launch: async ({ signal }): Promise<RunningServer> => {
        const secret = await password(projectId)
        const found = await containers.find(projectId)
        if (found && !found.isRunning) await containers.remove(found.id, 'kill')
        const { environment, model } = await settings()
        const container = found?.isRunning
          ? found
          : await containers.start({ projectId, password: secret, model, environment })
        const { id, url } = container
        const limit = AbortSignal.any([signal, AbortSignal.timeout(START_MS)])
        const endpoint = { url, password: secret }
        const version = await untilHealthy(containers, id, endpoint, limit).catch(async (error: unknown) => {
          // One that was there is another's to end, where it is only that we are told to stop.
          if (!signal.aborted) await drop(id, 'kill')
          throw error
        })
        return {
          ...endpoint,
          version,
          pid: undefined,
          container: id,
          memory: () => containers.memory(id),
          exited: untilEnded(containers, id),
          stop: () => drop(id, 'stop'),
          kill: () => drop(id, 'kill'),
        }
      },
    }),
    remove: async (projectId, wasMade) => {
      if (wasMade || containers.isThere()) {
        const found = await containers.find(projectId)
        if (found) await containers.remove(found.id, 'kill')
        await containers.forget(projectId)
      }
      await rm(directoryOf(projectId), { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
