// The filter as a process: node main.ts --listen /run/…/docker.sock (--volume name | --path directory) [--config file]

import { chmod, rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { createLogger, loadConfig } from '@switchyard/config'
import { SwitchyardError } from '@switchyard/contracts'
import { containerUser, withConfigFile } from '@switchyard/docker'
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

const main = async (): Promise<void> => {
  const config = loadConfig(undefined, 'docker-filter')
  const logger = createLogger(config, 'docker-filter')
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
  await rm(listen, { force: true })
  await new Promise<void>((resolve, reject) => filter.server.once('error', reject).listen(listen, resolve))
  await chmod(listen, 0o600)
  logger.info({ socket: listen }, 'the filter listens')
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void filter.close().finally(() => process.exit(0)))
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exit(1)
})
