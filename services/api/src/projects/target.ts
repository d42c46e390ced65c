// Which workers may run a call about a project.

import type { Config } from '@switchyard/config'
import type { CallTarget } from '@switchyard/contracts'
import type { ProjectRow } from '@switchyard/records'

/** Returns the project's pool when OpenCode servers are enabled, else any worker. */
export const targetOf = (
  { config }: { readonly config: { readonly opencode: Pick<Config['opencode'], 'serverEnabled'> } },
  project: Pick<ProjectRow, 'pool'>,
): CallTarget => (config.opencode.serverEnabled ? project.pool : 'any')
