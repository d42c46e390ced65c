// The dependencies of the session logic, and the project that a call is about.

import type { Config, Logger } from '@switchyard/config'
import type { Bus } from '@switchyard/queue'
import type { ProjectRow, Records } from '@switchyard/records'
import type { WorkerCallOptions, WorkerCalls } from '@switchyard/worker-calls'
import { type Caller, isOperator } from '../access/caller.ts'
import { findProjectOrDefault } from '../access/default-project.ts'
import { ownerServerOf } from '../access/owner-server.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { targetOf } from '../projects/target.ts'

export type SessionDeps = {
  readonly config: Config
  readonly records: Records
  readonly calls: WorkerCalls
  readonly bus: Bus
  readonly metrics: Metrics
  readonly logger: Logger
}

/** A call about a project. */
export type ProjectCall = {
  readonly caller: Caller
  /** A project id, URL or path; undefined is the default project. */
  readonly project: string | undefined
  /** Aborts when the caller disconnects. */
  readonly signal?: AbortSignal | undefined
}

export type ProjectScope = {
  readonly row: ProjectRow
  /** The arguments that identify the caller in every worker call. */
  readonly callerArgs: {
    readonly project_id: string
    readonly agent: string | null
    readonly server: string | null
  }
  readonly options: WorkerCallOptions
}

/**
 * Checks that the caller may use the project and returns its scope. Workers check that a session belongs to it.
 *
 * @throws SwitchyardError `project_not_found`
 */
export const resolveScope = async (
  deps: Pick<SessionDeps, 'config' | 'records'>,
  { caller, project, signal }: ProjectCall,
): Promise<ProjectScope> => {
  const row = await findProjectOrDefault(deps.records, caller, project)
  return {
    row,
    callerArgs: {
      project_id: row.id,
      agent: isOperator(caller) ? null : caller.name,
      server: ownerServerOf(deps.config, caller, row),
    },
    options: { target: targetOf(deps, row), signal },
  }
}
