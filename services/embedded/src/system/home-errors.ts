// Turns file errors under SWITCHYARD_HOME into errors that say what the operator must fix.

import { directoryUnwritable, fromFileError, systemErrorCode } from '@switchyard/contracts'

/**
 * Codes that elsewhere mean a missing file. Here the process creates the directories itself, so they
 * mean that a parent directory of the home cannot be used.
 */
const UNUSABLE = new Set(['ENOENT', 'ENOTDIR', 'EEXIST'])

/**
 * Returns `directory_unwritable` or `disk_full` when an operation below the home failed for that reason.
 *
 * @returns any other value unchanged
 */
export const fromHomeError = (error: unknown, directory: string): unknown =>
  error instanceof Error && UNUSABLE.has(systemErrorCode(error) ?? '')
    ? directoryUnwritable(directory, error.message, error)
    : fromFileError(error, directory)
