// What the file system says, as our errors.

import { SwitchyardError } from '@switchyard/contracts'

const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined

/** Any other value comes back as it is. */
export const fromFileError = (error: unknown, directory: string): unknown => {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new SwitchyardError('disk_full', `no space is left for ${directory}`, { cause: error })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new SwitchyardError('directory_unwritable', `${directory} cannot be written`, { cause: error })
    default:
      return error
  }
}
