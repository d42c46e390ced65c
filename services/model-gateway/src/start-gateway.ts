// Starts the gateway with the operator's settings and logins.

import path from 'node:path'
import type { Config, Logger } from '@switchyard/config'
import { ModelGateway, moveLogins, type ServerAccess } from '@switchyard/model-gateway'
import type { Records } from '@switchyard/records'
import { reportProviders } from './report-providers.ts'
import { UsageRecorder } from './usage-recorder.ts'

export type StartGatewayOptions = {
  readonly config: Pick<Config, 'gateway' | 'home'>
  readonly host: string
  /** Default: any free port. */
  readonly port?: number
  /** The gateway's address as servers see it. Default: where it listens. */
  readonly url?: string
  /** OpenCode's `auth.json`, whose keys move to the gateway. */
  readonly loginsFile: string
  readonly logger: Logger
}

export type StartedGateway = {
  /**
   * Opens the gateway for one run of a server and logs its providers.
   *
   * @param token - default: a random one.
   * @throws SwitchyardError `configuration_invalid` if an OpenCode configuration is not valid JSON
   */
  readonly open: (serverId: string, env: Readonly<Record<string, string>>, token?: string) => Promise<ServerAccess>
  /** Counts calls in the database from now on, those before included. */
  readonly record: (records: Records) => void
  /** Writes the last counts. Call it before the database is closed. */
  readonly stopRecording: () => Promise<void>
  readonly close: () => Promise<void>
}

/** @throws the system's error if the port is in use */
export const startModelGateway = async (options: StartGatewayOptions): Promise<StartedGateway> => {
  const { config, host, port = 0, url, loginsFile, logger } = options
  const logins = await moveLogins(loginsFile, path.join(config.home, 'model-gateway', 'auth.json'))
  if (logins.moved.length > 0)
    logger.info({ providers: logins.moved }, 'moved keys of OpenCode logins to the model gateway')
  const usage = new UsageRecorder(logger)
  const direct = config.gateway.directProviders
  const gateway = new ModelGateway({
    host,
    port,
    logins,
    direct,
    proxy: config.gateway.proxy,
    onCall: (call) => usage.add(call),
    logger,
    ...(url === undefined ? {} : { url }),
  })
  await gateway.listen()
  return {
    open: async (serverId, env, token) => {
      const access = await gateway.open(serverId, env, token)
      reportProviders({ serverId, access, oauth: logins.oauth, direct, logger })
      return access
    },
    record: (records) => usage.start(records),
    stopRecording: () => usage.stop(),
    close: () => gateway.close(),
  }
}
