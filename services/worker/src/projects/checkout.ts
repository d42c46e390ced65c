// Reads what a user's own checkout is.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import type { CallResult } from '@switchyard/contracts'
import { readCheckout } from '@switchyard/git'

export const inspect = async (directory: string): Promise<CallResult<'project.inspect'>> => {
  const found = await readCheckout(directory)
  if (found === null) return { place: directory, is_checkout: false, origin: null, main: null }
  // A bare repository has no files to work on.
  const isCheckout = (await lstat(path.join(found.directory, '.git')).catch(() => undefined)) !== undefined
  return {
    place: found.directory,
    is_checkout: isCheckout,
    origin: found.origin?.displayUrl ?? null,
    main: found.linkedTo,
  }
}
