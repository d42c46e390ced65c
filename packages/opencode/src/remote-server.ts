// A server that Compose, dockerode or a person started: it is found and watched, never started or stopped.

import type { RunningServer, ServerLauncher } from './launcher.ts'
import { probe } from './probe.ts'

export type RemoteServerOptions = {
  /** Base URL, such as `http://opencode:4096`. */
  readonly url: string
  readonly password: string
  /** Milliseconds for one health check; default 10 s, since a busy server may stall for several. */
  readonly healthTimeoutMs?: number
}

/** A launcher for a server that is there already. */
export const remoteServer = (options: RemoteServerOptions): ServerLauncher => {
  const url = options.url.replace(/\/+$/, '')
  const endpoint = { url, password: options.password }
  return {
    kind: 'remote',
    id: url,
    launch: async ({ signal }): Promise<RunningServer> => {
      const { version } = await probe(endpoint, { timeoutMs: options.healthTimeoutMs ?? 10_000, signal })
      return {
        ...endpoint,
        version,
        pid: undefined,
        exited: new Promise(() => undefined),
        stop: async () => undefined,
        kill: async () => undefined,
      }
    },
  }
}
