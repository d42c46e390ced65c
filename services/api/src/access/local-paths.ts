// Who may name a repository by a path on the worker's host.

import { SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl } from '@switchyard/git/identity'
import type { ProjectRow } from '@switchyard/records'
import { type Caller, isOperator } from './caller.ts'
import { mayUse } from './projects.ts'

/**
 * Checks that the caller may name the repository. Paths and file URLs give access to any repository on the worker's
 * host, so agents may use them only for registered projects that they may use.
 *
 * @throws SwitchyardError `forbidden`
 */
export const requireMayName = (caller: Caller, url: string, row: ProjectRow | undefined): void => {
  if (isOperator(caller) || parseRepositoryUrl(url).kind !== 'path') return
  if (row?.registered_at && mayUse(caller, row)) return
  throw new SwitchyardError('forbidden', `naming ${url}, a path on the worker's host, requires an operator key`, {
    hint: 'Name the repository by its https or ssh URL, or ask an operator to register it and share it with you.',
  })
}
