// Names of branches, checked before anything is queued: git's own rules.

import { SwitchyardError } from '@switchyard/contracts'
import { isValidBase, isValidBranch } from '@switchyard/git/identity'

/** @throws SwitchyardError `invalid_branch` */
export const checkBranch = (field: 'branch' | 'base_branch', name: string): string => {
  if (field === 'branch' ? isValidBranch(name) : isValidBase(name)) return name
  throw new SwitchyardError('invalid_branch', `${field}: git takes no branch named ${JSON.stringify(name)}`)
}
