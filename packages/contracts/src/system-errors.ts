// Reads errors of the operating system, and turns those that a full or read-only disk causes into ours.

import { SwitchyardError } from './errors/switchyard-error.ts'

/**
 * Returns the `code` that Node or Postgres puts on an error, such as `ENOENT` or `53100`.
 *
 * @returns undefined when the value has no code of type string
 */
export const systemErrorCode = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined

export const diskFull = (directory: string, cause?: unknown): SwitchyardError =>
  new SwitchyardError('disk_full', `no space left on the device that holds ${directory}`, {
    context: { directory },
    cause,
  })

/** @param reason - why the write failed, as the system or the program that tried reports it */
export const directoryUnwritable = (directory: string, reason: string, cause?: unknown): SwitchyardError =>
  new SwitchyardError('directory_unwritable', `cannot write to ${directory}: ${reason}`, {
    context: { directory },
    cause,
  })

/**
 * Returns `disk_full` or `directory_unwritable` when a file operation failed for that reason.
 *
 * @param directory - the file or directory that was written to
 * @returns any other value unchanged
 */
export const fromFileError = (error: unknown, directory: string): unknown => {
  switch (systemErrorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return diskFull(directory, error)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return directoryUnwritable(directory, error instanceof Error ? error.message : String(error), error)
    default:
      return error
  }
}
