// Removes containers of tasks that are not open, and freezes those of paused tasks. The containers
// of every other open task are left to the worker that runs it.

import { isSwitchyardError, type TaskId } from '@switchyard/contracts'
import type { Runner } from '@switchyard/docker'
import { repeat } from '@switchyard/process'
import { findOpen, type Records } from '@switchyard/records'
import type { Logger } from 'pino'

const INTERVAL_MS = 60_000

type ContainerCleanupDeps = { readonly records: Records; readonly runner: Runner; readonly logger: Logger }

export type ContainerCleanup = {
  /** Has the containers of one task checked now: it got a control and does not run here. */
  readonly checkTask: (id: TaskId) => void
  readonly stop: () => Promise<void>
}

const cleanUp = async ({ records, runner, logger }: ContainerCleanupDeps, taskId?: TaskId): Promise<void> => {
  if (!runner.isAvailable()) return
  const containers = await runner.find(taskId)
  const open = await findOpen(records.db, [...new Set(containers.map((container) => container.taskId))])
  for (const container of containers) {
    const status = open.get(container.taskId)
    if (status === undefined) {
      await runner.remove(container.id)
      logger.info(
        { task_id: container.taskId, container_id: container.id },
        'removed container of a task that is not open',
      )
    } else if (status === 'paused' && container.status === 'running') await runner.pause(container.id)
  }
  if (taskId === undefined) await runner.maintainNamespaces()
}

/** Starts with all containers, and checks them again every minute. */
export const startContainerCleanup = (deps: ContainerCleanupDeps): ContainerCleanup => {
  const requested: TaskId[] = []
  let checkedAllAt = Number.NEGATIVE_INFINITY
  const work = async (): Promise<void> => {
    for (let id = requested.shift(); id !== undefined; id = requested.shift()) await cleanUp(deps, id)
    if (performance.now() - checkedAllAt < INTERVAL_MS) return
    checkedAllAt = performance.now()
    await cleanUp(deps)
  }
  const loop = repeat({
    name: 'container cleanup',
    everyMs: INTERVAL_MS,
    work,
    onFailure: (error) => ({
      isExpected: isSwitchyardError(error, 'docker_unavailable') || isSwitchyardError(error, 'database_unavailable'),
    }),
    logger: deps.logger,
  })
  loop.runNow()
  return {
    checkTask: (id) => {
      requested.push(id)
      loop.runNow()
    },
    stop: loop.stop,
  }
}
