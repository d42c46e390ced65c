// Starts the OpenCode server of `npm start`: a child process, or a connection to one that already runs.

import type { Config, Logger } from '@switchyard/config'
import { isSwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import { childServer, OpenCodeServer, type OpenGateway, remoteServer } from '@switchyard/opencode'
import type { PreparedSandbox } from '@switchyard/tool-sandbox'
import { Layout } from '@switchyard/workspace/layout'
import { type Guard, guardProcess } from './system/guard.ts'

/** Limit of the call that lists the model providers, ms. The list is only shown to the user. */
const CATALOG_WAIT_MS = 2_500

export type StartedOpenCode = {
  readonly server: OpenCodeServer
  /**
   * Waits until the server is ready.
   *
   * @returns the ids of its model providers; undefined if the server was not ready after `waitMs`.
   * @throws SwitchyardError if waiting longer cannot help; the reason of the signal when it aborts
   */
  readonly whenReady: (waitMs: number, signal: AbortSignal | undefined) => Promise<readonly string[] | undefined>
  readonly close: () => Promise<void>
}

/** Starts the server and does not wait for it. */
export const startOpenCode = (
  config: Config,
  openGateway: OpenGateway | undefined,
  sandbox: PreparedSandbox,
  logger: Logger,
): StartedOpenCode => {
  const { url, password, memoryFile, healthCheckIntervalMs, maxRetries, retryDelayMs, outageMs, inherited } =
    config.opencode
  // Without a guard, a server whose Switchyard was killed would keep running. The next start removes its tools.
  let guard: Guard | undefined
  const replaceGuard = (pid: number): void => {
    guard?.close()
    guard = guardProcess(pid, 'TERM')
  }
  const launcher =
    url === undefined
      ? childServer({
          dataDir: new Layout(config).opencode,
          ...(password === undefined ? {} : { password }),
          env: inherited,
          // Diffs come from git. OpenCode's own snapshots cost two thirds of the throughput in one directory.
          config: { snapshot: false },
          ...(openGateway ? { openGateway } : {}),
          ...(sandbox.isAvailable ? { sandbox: sandbox.server } : {}),
          logger,
          onSpawn: replaceGuard,
        })
      : remoteServer({ url, password: password ?? '', memoryFile })
  const server = OpenCodeServer.start({ launcher, logger, healthCheckIntervalMs, maxRetries, retryDelayMs, outageMs })

  return {
    server,
    whenReady: async (waitMs, signal) => {
      try {
        const limit = withTimeout(waitMs, signal)
        await server.ready({ signal: limit })
        const catalog = await server.client.catalog(config.workspacesDir, {
          signal: withTimeout(CATALOG_WAIT_MS, limit),
        })
        return catalog.providers.map((provider) => provider.id)
      } catch (error) {
        signal?.throwIfAborted()
        if (isSwitchyardError(error) && !error.retryable) throw error
        const { status, error: reason } = server.state()
        const facts = { status, err: reason?.message ?? toSwitchyardError(error).message }
        if (status === 'up') logger.info(facts, 'started without the list of available models')
        else logger.info(facts, 'started before OpenCode is ready; tasks wait in the queue')
        return undefined
      }
    },
    close: async () => {
      await server.close()
      guard?.close()
    },
  }
}

const withTimeout = (ms: number, signal: AbortSignal | undefined): AbortSignal =>
  AbortSignal.any([AbortSignal.timeout(ms), ...(signal ? [signal] : [])])
