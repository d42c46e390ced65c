// Reads a file that a variable names, at start rather than on first use.

import { readFileSync } from 'node:fs'
import { systemErrorCode } from '@switchyard/contracts'

/** Returns its text; undefined when unset, or when it cannot be read, which is passed to `refuse`. */
export const readNamedFile = (name: string | undefined, refuse: (message: string) => void): string | undefined => {
  const file = name?.trim() ?? ''
  if (file === '') return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    refuse(`cannot be read: ${systemErrorCode(error) ?? 'unknown error'}`)
    return undefined
  }
}
