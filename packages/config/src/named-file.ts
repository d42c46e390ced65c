// A file that a variable names, read at the start and not when it is first needed.

import { readFileSync } from 'node:fs'

/** Its text; undefined where none is named, or after it was refused because it cannot be read. */
export const readNamedFile = (name: string | undefined, refuse: (message: string) => void): string | undefined => {
  const file = name?.trim() ?? ''
  if (file === '') return undefined
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    refuse(`cannot be read: ${error instanceof Error && 'code' in error ? error.code : 'unknown error'}`)
    return undefined
  }
}
