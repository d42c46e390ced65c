// Checks branch names by git's rules before a task is queued.

import { SwitchyardError } from '@switchyard/contracts'
import { isValidBase, isValidBranch } from '@switchyard/git/identity'

/** Returns the name if it is valid. @throws SwitchyardError `invalid_branch` */
export const checkBranch = (field: 'branch' | 'base_branch', name: string): string => {
  if (field === 'branch' ? isValidBranch(name) : isValidBase(name)) return name
  throw new SwitchyardError('invalid_branch', `${field}: ${JSON.stringify(name)} is not a valid git branch name`)
}
