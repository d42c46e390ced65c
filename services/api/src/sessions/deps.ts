// What the logic of sessions works with; wired once in app.ts.

import type { Config, Logger } from '@switchyard/config'
import type { Bus } from '@switchyard/queue'
import type { ProjectRow, Records } from '@switchyard/records'
import type { WorkerCallOptions, WorkerCalls } from '@switchyard/worker-calls'
import { type Caller, isOperator } from '../access/caller.ts'
import { findProjectOrDefault } from '../access/default-project.ts'
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

/** Whose call it is, and on which project: an id, a URL or a path; undefined: the default one. */
export type On = {
  readonly caller: Caller
  readonly project: string | undefined
  /** The caller has gone. */
  readonly signal?: AbortSignal | undefined
}

export type Scope = {
  readonly row: ProjectRow
  /** What every call to a worker says of who asks. */
  readonly who: { readonly project_id: string; readonly agent: string | null }
  readonly options: WorkerCallOptions
}

/** Who asks, checked: from here on the worker holds every session against the project. @throws SwitchyardError `project_not_found` */
export const scopeOf = async (
  deps: Pick<SessionDeps, 'config' | 'records'>,
  { caller, project, signal }: On,
): Promise<Scope> => {
  const row = await findProjectOrDefault(deps.records, caller, project)
  return {
    row,
    who: { project_id: row.id, agent: isOperator(caller) ? null : caller.name },
    options: { target: targetOf(deps, row), signal },
  }
}
