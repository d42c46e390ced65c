// Creates dedicated servers as containers, in the stack. They outlive the worker that created
// them, and another worker adopts them.

import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import type { ServerContainers } from '@switchyard/docker'
import { checkHealth, type RunningServer } from '@switchyard/opencode'
import type { Logger } from 'pino'
import { serverPassword } from '../secrets/server-password.ts'
import { type ServerFactory, serverDirectoryName } from './server-factory.ts'

/** How often a running container is checked for its exit, ms. */
const EXIT_POLL_MS = 2_000
/** How long a server may take until it responds, ms. */
const START_TIMEOUT_MS = 60_000
const PROBE_TIMEOUT_MS = 1_000
const PROBE_POLL_MS = 100

export type ContainerServerFactoryOptions = {
  readonly containers: ServerContainers
  /** Contains one directory with the password of each server. */
  readonly root: string
  readonly logger: Logger
}

/**
 * Resolves with the reason when the container has exited. While the engine is unreachable, the
 * container counts as running.
 */
const untilExited = async (containers: ServerContainers, id: string): Promise<SwitchyardError> => {
  for (;;) {
    await delay(EXIT_POLL_MS, undefined, { ref: false })
    const found = await containers.inspect(id).catch((error: unknown) => {
      if (isSwitchyardError(error)) return null
      throw error
    })
    if (found === null || found?.isRunning) continue
    const why = found === undefined ? 'was removed' : found.outOfMemory ? 'ran out of memory' : 'exited'
    return new SwitchyardError('opencode_unavailable', `the server's container ${why}`)
  }
}

/** @returns OpenCode's version. */
const untilHealthy = async (
  containers: ServerContainers,
  id: string,
  endpoint: { readonly url: string; readonly password: string },
  signal: AbortSignal,
): Promise<string> => {
  for (;;) {
    try {
      return (await checkHealth(endpoint, { timeoutMs: PROBE_TIMEOUT_MS, signal })).version
    } catch (error) {
      signal.throwIfAborted()
      if (!(await containers.inspect(id))?.isRunning)
        throw new SwitchyardError('opencode_unavailable', "the server's container exited before the server was ready", {
          cause: error,
        })
      await delay(PROBE_POLL_MS, undefined, { signal })
    }
  }
}

export const containerServerFactory = ({ containers, root, logger }: ContainerServerFactoryOptions): ServerFactory => {
  const directoryOf = (key: string): string => path.join(root, serverDirectoryName(key))
  const password = (key: string): Promise<string> => serverPassword(directoryOf(key))
  const remove = async (id: string, how: 'stop' | 'kill'): Promise<void> => {
    await containers.remove(id, how).catch((error: unknown) => {
      logger.warn({ container_id: id, err: error }, 'failed to remove container of project server')
    })
  }
  return {
    kind: 'container',
    isAvailable: () => containers.isAvailable(),
    directoryOf,
    password,
    createLauncher: ({ key, id: serverId, settings }) => ({
      kind: 'container',
      id: serverId,
      launch: async ({ signal }): Promise<RunningServer> => {
        const secret = await password(key)
        const found = await containers.find(serverDirectoryName(key))
        if (found && !found.isRunning) await containers.remove(found.id, 'kill')
        const { environment, model } = await settings()
        const container = found?.isRunning
          ? found
          : await containers.start({ projectId: serverDirectoryName(key), password: secret, model, environment })
        const { id, url } = container
        const limit = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)])
        const endpoint = { url, password: secret }
        const version = await untilHealthy(containers, id, endpoint, limit).catch(async (error: unknown) => {
          // A stop of this worker leaves the container to the next one.
          if (!signal.aborted) await remove(id, 'kill')
          throw error
        })
        return {
          ...endpoint,
          version,
          pid: undefined,
          container: id,
          memory: () => containers.memory(id),
          exited: untilExited(containers, id),
          stop: () => remove(id, 'stop'),
          kill: () => remove(id, 'kill'),
        }
      },
    }),
    remove: async (key, existed) => {
      if (existed || containers.isAvailable()) {
        const found = await containers.find(serverDirectoryName(key))
        if (found) await containers.remove(found.id, 'kill')
        await containers.deleteData(serverDirectoryName(key))
      }
      await rm(directoryOf(key), { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
