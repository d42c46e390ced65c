// What a person reads when a process ends with an error.

import { isSwitchyardError } from '@switchyard/contracts'

/** Returns code, message and hint of an expected error, and the stack of any other. Ends with a newline. */
export const describeError = (error: unknown): string => {
  if (isSwitchyardError(error) && error.code !== 'internal_error')
    return `${error.code}: ${error.message}\n${error.hint}\n`
  return `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`
}
