// The dependencies of the task logic.

import type { Config, Logger } from '@switchyard/config'
import type { Bus, TaskQueue } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import type { TaskWorkspaces } from '@switchyard/worker-calls'
import type { Metrics } from '../monitoring/metrics.ts'
import type { Rollout } from '../rollout/rollout.ts'
import type { TaskFeeds } from '../task-events/task-feeds.ts'
import type { Backlog } from './backlog.ts'
import type { Catalog } from './catalog.ts'

export type TaskDeps = {
  readonly config: Config
  readonly records: Records
  readonly queue: Pick<TaskQueue, 'add' | 'depth' | 'ping'>
  readonly bus: Bus
  readonly logger: Logger
  readonly metrics: Metrics
  readonly feeds: TaskFeeds
  readonly catalog: Catalog
  readonly backlog: Backlog
  readonly workspaces: TaskWorkspaces
  readonly rollout: Pick<Rollout, 'decide'>
}
