// Keeps the engine's containers in step with the record: those of no open task are removed, those of a paused one are frozen.
// It touches nothing of a task that is open and not paused: whoever runs it looks after its container.

import { isSwitchyardError, type TaskId } from '@switchyard/contracts'
import type { Runner } from '@switchyard/docker'
import { repeat } from '@switchyard/process'
import { findOpen, type Records } from '@switchyard/records'
import type { Logger } from 'pino'

const EVERY_MS = 60_000

type Deps = { readonly records: Records; readonly runner: Runner; readonly logger: Logger }

export type ContainerCare = {
  /** Looks at the containers of one task now: something was asked for that no run of ours answers. */
  readonly look: (id: TaskId) => void
  readonly stop: () => Promise<void>
}

const tidy = async ({ records, runner, logger }: Deps, taskId?: TaskId): Promise<void> => {
  if (!runner.isAvailable()) return
  const containers = await runner.find(taskId)
  const open = await findOpen(records.db, [...new Set(containers.map((container) => container.taskId))])
  for (const container of containers) {
    const status = open.get(container.taskId)
    if (status === undefined) {
      await runner.remove(container.id)
      logger.info({ task_id: container.taskId, container_id: container.id }, 'removed a container of no open task')
    } else if (status === 'paused' && container.status === 'running') await runner.pause(container.id)
  }
  if (taskId === undefined) await runner.maintainNamespaces()
}

/** Starts with all containers, and checks them again every minute. */
export const startContainerCare = (deps: Deps): ContainerCare => {
  const requested: TaskId[] = []
  let checkedAllAt = Number.NEGATIVE_INFINITY
  const work = async (): Promise<void> => {
    for (let id = requested.shift(); id !== undefined; id = requested.shift()) await tidy(deps, id)
    if (performance.now() - checkedAllAt < EVERY_MS) return
    checkedAllAt = performance.now()
    await tidy(deps)
  }
  const loop = repeat({
    name: 'container cleanup',
    everyMs: EVERY_MS,
    work,
    onFailure: (error) => ({
      isExpected: isSwitchyardError(error, 'docker_unavailable') || isSwitchyardError(error, 'database_unavailable'),
    }),
    logger: deps.logger,
  })
  loop.runNow()
  return {
    look: (id) => {
      requested.push(id)
      loop.runNow()
    },
    stop: loop.stop,
  }
}
