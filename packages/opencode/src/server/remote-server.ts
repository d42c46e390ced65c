// A server that Compose, dockerode or a person started: it is found and watched, never started or stopped.

import { isSwitchyardError } from '@switchyard/contracts'
import type { Endpoint } from '../connection/endpoint.ts'
import { checkHealth } from '../connection/health-check.ts'
import type { RunningServer, ServerLauncher } from './launcher.ts'
import { reportedMemory } from './reported-memory.ts'

export type RemoteServerOptions = {
  /** Base URL, such as `http://opencode:4096`. */
  readonly url: string
  readonly password: string
  /** Its name in logs and records; default: the URL. */
  readonly id?: string
  /** Where the server's container writes how many bytes it holds; default: nobody can say. */
  readonly memoryFile?: string | undefined
}

/**
 * Milliseconds of the tries, one after another: the first is short, because a request that comes between the server's
 * "listening" and its "serving" is never answered; the last is long, because a busy server may stall for 3 to 6 s.
 */
const TRIES_MS = [1_000, 2_000] as const
const LAST_TRY_MS = 8_000

/** A launcher for a server that is there already. */
export const remoteServer = (options: RemoteServerOptions): ServerLauncher => {
  const url = options.url.replace(/\/+$/, '')
  const { memoryFile, password } = options
  const endpoint = { url, password }
  return {
    kind: 'remote',
    id: options.id ?? url,
    launch: async ({ signal }): Promise<RunningServer> => {
      const { version } = await patientProbe(endpoint, signal)
      return {
        ...endpoint,
        version,
        pid: undefined,
        memory: async () => (memoryFile === undefined ? undefined : await reportedMemory(memoryFile)),
        exited: new Promise(() => undefined),
        stop: async () => undefined,
        kill: async () => undefined,
      }
    },
  }
}

const patientProbe = async (endpoint: Endpoint, signal: AbortSignal): Promise<{ readonly version: string }> => {
  for (const timeoutMs of TRIES_MS) {
    try {
      return await checkHealth(endpoint, { timeoutMs, signal })
    } catch (error) {
      const isSlow = isSwitchyardError(error) && error.context.timedOut === true
      if (!isSlow || signal.aborted) throw error
    }
  }
  return checkHealth(endpoint, { timeoutMs: LAST_TRY_MS, signal })
}
