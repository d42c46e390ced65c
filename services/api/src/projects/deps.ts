// The dependencies of the project logic.

import type { Config, Logger } from '@switchyard/config'
import type { Records } from '@switchyard/records'
import type { WorkerCalls } from '@switchyard/worker-calls'
import type { TaskService } from '../tasks/service.ts'

export type ProjectDeps = {
  readonly config: Config
  readonly records: Records
  readonly calls: WorkerCalls
  readonly tasks: Pick<TaskService, 'control'>
  readonly logger: Logger
}
