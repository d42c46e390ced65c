// Who may name a repository by where it is on the worker's host.

import { SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl } from '@switchyard/git/identity'
import type { ProjectRow } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import { maySee } from './access.ts'

/**
 * A path of the worker's host is an operator's to name, as is a file URL: a task or a project would be made of whatever repository is
 * there. Others name by it what is registered already and theirs to use.
 *
 * @throws SwitchyardError `forbidden`
 */
export const requireMayName = (caller: Caller, url: string, row: ProjectRow | undefined): void => {
  if (caller.role === 'operator' || parseRepositoryUrl(url).kind !== 'path') return
  if (row?.registered_at && maySee(caller, row)) return
  throw new SwitchyardError('forbidden', `only an operator’s key may name a path of the worker’s host, as ${url} is`, {
    hint: 'Name the repository by its https or ssh URL, or ask an operator to register it and to share it with you.',
  })
}
