// The filter as a process: node main.ts --listen /run/…/docker.sock (--volume name | --path directory) [--config file]

import { chmod, rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { SwitchyardError } from '@switchyard/contracts'
import { containerUser, withConfigFile } from '@switchyard/docker'
import { type RunContext, runMain } from '@switchyard/process'
import { engineAddress } from './engine-calls.ts'
import { Filter } from './filter.ts'

const { values } = parseArgs({
  options: {
    listen: { type: 'string' },
    volume: { type: 'string' },
    path: { type: 'string' },
    config: { type: 'string' },
  },
})

/** Limit of the whole shutdown, ms: calls to the engine that are in progress are cut off. */
const STOP_MS = 10_000

const start = async ({ config, logger, shutdown }: RunContext): Promise<void> => {
  const { docker, projectServers, workspacesDir } = config
  const { listen, volume } = values
  if (listen === undefined) throw new SwitchyardError('configuration_invalid', '--listen names no socket')
  if (docker.network === undefined || docker.proxy === undefined)
    throw new SwitchyardError('configuration_invalid', 'RUNNER_NETWORK and RUNNER_PROXY are not set')
  const filter = new Filter({
    engine: engineAddress(docker.host),
    source: volume === undefined ? { path: values.path ?? workspacesDir } : { volume },
    policy: {
      workspacesDir,
      way: { network: docker.network, proxy: docker.proxy },
      server:
        projectServers.network === undefined
          ? undefined
          : { network: projectServers.network, memoryBytes: projectServers.hardMemoryLimit },
      settings: {
        image: docker.image,
        // The worker's as well: nobody else may connect to the socket.
        user: containerUser(),
        cpus: docker.cpus,
        memoryBytes: docker.memoryBytes,
        pids: docker.pids,
        environment: await withConfigFile(docker.environment, values.config),
      },
    },
    logger,
  })
  shutdown.add('filter', STOP_MS, () => filter.close())
  await rm(listen, { force: true })
  await new Promise<void>((resolve, reject) => filter.server.once('error', reject).listen(listen, resolve))
  await chmod(listen, 0o600)
  logger.info({ socket: listen }, 'the filter listens')
}

await runMain('docker-filter', { stopMs: STOP_MS, start })
