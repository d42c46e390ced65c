// What the operating system says about a file, as an error that tells the reader what to do.

import { SwitchyardError } from '@switchyard/contracts'

const UNWRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENOENT', 'EEXIST'])
const FULL = new Set(['ENOSPC', 'EDQUOT'])

/** `directory_unwritable` or `disk_full` where the cause is one of these, else the error as it came. */
export const fromFileError = (error: unknown, directory: string): unknown => {
  if (error instanceof SwitchyardError || !(error instanceof Error)) return error
  const code = 'code' in error ? String(error.code) : ''
  if (FULL.has(code)) return diskFull(directory, error)
  if (UNWRITABLE.has(code)) return unwritable(directory, error.message, error)
  return error
}

export const diskFull = (directory: string, cause?: unknown): SwitchyardError =>
  new SwitchyardError('disk_full', `no space is left on the device that holds ${directory}`, {
    context: { directory },
    cause,
  })

export const unwritable = (directory: string, detail: string, cause?: unknown): SwitchyardError =>
  new SwitchyardError('directory_unwritable', `${directory} cannot be written: ${detail}`, {
    context: { directory },
    cause,
  })
