// Reports whether tasks can run in containers here, for the api's decision and for /health. Where they run in nothing else,
// network and way out are made ahead of the first task.

import { toSwitchyardError } from '@switchyard/contracts'
import type { Runner } from '@switchyard/docker'
import { repeat } from '@switchyard/process'
import { type Records, reportServer } from '@switchyard/records'
import type { Logger } from 'pino'
import type { ServerReport } from './opencode-report.ts'

export type DockerReport = ServerReport & {
  /** The engine and the image were there at the last look: tasks of Docker mode can begin at once. */
  readonly isUp: () => boolean
}

const INTERVAL_MS = 5_000
/** The row of the engine among the servers. */
const ID = 'docker'

type Options = {
  /** Nothing else runs tasks here: an engine that is not there is a fault, not a choice. */
  readonly isOnly: boolean
  readonly logger: Logger
}

export const startDockerReport = (records: Records, runner: Runner, options: Options): DockerReport => {
  let wasUp = false
  let isUp = false
  const look = async () => {
    try {
      const version = await runner.version()
      await (options.isOnly ? runner.prepareNetwork() : runner.requireImage())
      return { state: 'up' as const, version, detail: null }
    } catch (error) {
      const { message } = toSwitchyardError(error)
      return { state: 'down' as const, version: null, detail: message }
    }
  }
  const report = async () => {
    // A machine without Docker is no machine with a Docker that is down.
    if (!options.isOnly && !wasUp && !runner.isAvailable()) return
    const found = await look()
    isUp = found.state === 'up'
    await reportServer(records.db, { id: ID, ...found, catalog: null })
    wasUp ||= isUp
  }
  const reporting = repeat({
    name: 'Docker status report',
    everyMs: INTERVAL_MS,
    work: report,
    logger: options.logger,
  })
  reporting.runNow()
  return {
    wasUp: () => wasUp,
    isUp: () => isUp && runner.isAvailable(),
    stop: reporting.stop,
  }
}
