// A file that a variable names, read at the start and not when it is first needed.

import { readFileSync } from 'node:fs'
import { systemErrorCode } from '@switchyard/contracts'

/** Its text; undefined where none is named, or after it was refused because it cannot be read. */
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
