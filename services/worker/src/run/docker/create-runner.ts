// Creates the runner of this worker's task containers from the configuration.

import type { Config } from '@switchyard/config'
import type { WorkerId } from '@switchyard/contracts'
import { connectEngine, containerUser, publicAddresses, Runner, withConfigFile } from '@switchyard/docker'
import { liveWorkers, type Records } from '@switchyard/records'
import type { Logger } from 'pino'

/**
 * Each namespace costs a small container. If more tasks than this start at once, some wait a little
 * longer for the engine.
 */
const MAX_NAMESPACES = 16

export type CreateRunnerDeps = {
  readonly config: Pick<Config, 'docker' | 'opencode' | 'worker'>
  readonly records: Records
  readonly workerId: WorkerId
  readonly logger: Logger
}

export const createRunner = async ({ config, records, workerId, logger }: CreateRunnerDeps): Promise<Runner> => {
  const { docker, opencode } = config
  const environment = await withConfigFile(docker.environment, opencode.inherited.OPENCODE_CONFIG).catch((error) => {
    // The file matters to containers only: a server reads it by itself.
    if (!opencode.serverEnabled) throw error
    logger.warn({ err: error }, 'failed to read OPENCODE_CONFIG; containers run without it')
    return docker.environment
  })
  return new Runner({
    engine: connectEngine(docker.host),
    settings: {
      stack: await records.identity(),
      image: docker.image,
      cpus: docker.cpus,
      memoryBytes: docker.memoryBytes,
      pids: docker.pids,
      user: containerUser(),
      environment,
    },
    ...(docker.network !== undefined && docker.proxy !== undefined
      ? { runnerNetwork: { network: docker.network, proxy: docker.proxy } }
      : {}),
    egress: {
      image: docker.egressImage,
      allow: docker.egressAllow,
      deny: [...docker.egressDeny, ...publicAddresses(docker.host)],
    },
    exclusively: (work) => records.withLock('runner-way', work),
    workerId,
    liveWorkers: () => liveWorkers(records.db),
    namespaces: Math.min(config.worker.maxConcurrentTasks, MAX_NAMESPACES),
    logger,
  })
}
