// Uses an OpenCode server that something else started. It is monitored, never started or stopped.

import { isSwitchyardError } from '@switchyard/contracts'
import type { Endpoint } from '../connection/endpoint.ts'
import { checkHealth } from '../connection/health-check.ts'
import type { RunningServer, ServerLauncher } from './launcher.ts'
import { reportedMemory } from './reported-memory.ts'

export type RemoteServerOptions = {
  /** Base URL, such as `http://opencode:4096`. */
  readonly url: string
  readonly password: string
  /** Names the server in logs and records. Defaults to the URL. */
  readonly id?: string
  /** The file in which the server's container reports its memory. Without it the memory is unknown. */
  readonly memoryFile?: string | undefined
}

/**
 * Timeouts of consecutive health checks, ms. The first is short, because a request that arrives between "listening" and
 * serving is never answered; the last is long, because a busy server may stall for 3 to 6 s.
 */
const TIMEOUTS_MS = [1_000, 2_000] as const
const LAST_TIMEOUT_MS = 8_000

/** Returns a launcher for an existing server. */
export const remoteServer = (options: RemoteServerOptions): ServerLauncher => {
  const url = options.url.replace(/\/+$/, '')
  const { memoryFile, password } = options
  const endpoint = { url, password }
  return {
    kind: 'remote',
    id: options.id ?? url,
    launch: async ({ signal }): Promise<RunningServer> => {
      const { version } = await checkHealthPatiently(endpoint, signal)
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

const checkHealthPatiently = async (endpoint: Endpoint, signal: AbortSignal): Promise<{ readonly version: string }> => {
  for (const timeoutMs of TIMEOUTS_MS) {
    try {
      return await checkHealth(endpoint, { timeoutMs, signal })
    } catch (error) {
      const isTimeout = isSwitchyardError(error) && error.context.timedOut === true
      if (!isTimeout || signal.aborted) throw error
    }
  }
  return checkHealth(endpoint, { timeoutMs: LAST_TIMEOUT_MS, signal })
}
