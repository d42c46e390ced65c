// Reports whether tasks can run in containers here, for the api's choice of a mode and for /health.

import { toSwitchyardError } from '@switchyard/contracts'
import type { Runner } from '@switchyard/docker'
import { repeat } from '@switchyard/process'
import { type Records, reportServer } from '@switchyard/records'
import type { Logger } from 'pino'
import type { HostReport } from './host-report.ts'

export type DockerReport = HostReport & {
  /**
   * Returns whether the last check found the engine and the image, so that a container can start
   * now.
   */
  readonly isUp: () => boolean
}

const INTERVAL_MS = 5_000
/** The id of the engine in the table of servers. */
const ID = 'docker'

type DockerReportOptions = {
  /**
   * Tasks run in containers only: an unavailable engine is a fault, and the network is created
   * before the first task.
   */
  readonly isOnly: boolean
  readonly logger: Logger
}

export const startDockerReport = (
  records: Records,
  runner: Runner,
  { isOnly, logger }: DockerReportOptions,
): DockerReport => {
  let wasUp = false
  let isUp = false
  const check = async () => {
    try {
      const version = await runner.version()
      await (isOnly ? runner.prepareNetwork() : runner.requireImage())
      return { state: 'up' as const, version, detail: null }
    } catch (error) {
      return { state: 'down' as const, version: null, detail: toSwitchyardError(error).message }
    }
  }
  const report = async () => {
    // On a machine without Docker, Docker is not reported as down.
    if (!isOnly && !wasUp && !runner.isAvailable()) return
    const found = await check()
    isUp = found.state === 'up'
    await reportServer(records.db, { id: ID, ...found, catalog: null })
    wasUp ||= isUp
  }
  const reporting = repeat({ name: 'Docker status report', everyMs: INTERVAL_MS, work: report, logger })
  reporting.runNow()
  return {
    wasUp: () => wasUp,
    isUp: () => isUp && runner.isAvailable(),
    stop: reporting.stop,
  }
}
