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

/** Limit of the whole shutdown, ms: calls in progress are cut off. */
const STOP_MS = 10_000

const start = async ({ config, logger, shutdown }: RunContext): Promise<void> => {
  const { docker, projectServers, workspacesDir } = config
  const { listen, volume } = values
  if (listen === undefined)
    throw new SwitchyardError('configuration_invalid', '--listen is not set', {
      hint: 'Pass --listen with the path of the socket to create.',
    })
  if (docker.network === undefined || docker.proxy === undefined)
    throw new SwitchyardError('configuration_invalid', 'RUNNER_NETWORK or RUNNER_PROXY is not set', {
      hint: 'Set RUNNER_NETWORK and RUNNER_PROXY to the network and the egress proxy of task containers.',
    })
  const filter = new Filter({
    engine: engineAddress(docker.host),
    source: volume === undefined ? { path: values.path ?? workspacesDir } : { volume },
    policy: {
      workspacesDir,
      taskNetwork: { network: docker.network, proxy: docker.proxy },
      server:
        projectServers.network === undefined
          ? undefined
          : { network: projectServers.network, memoryBytes: projectServers.hardMemoryLimit },
      settings: {
        image: docker.image,
        // The worker runs as the same user: no other one may connect to the socket.
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
  logger.info({ socket: listen }, 'Docker filter listening')
}

await runMain('docker-filter', { stopMs: STOP_MS, start })
