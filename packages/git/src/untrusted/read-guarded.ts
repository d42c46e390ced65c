// A small text file that an agent may have put there: no link is followed, no pipe is waited for.

import { constants, open } from 'node:fs/promises'

const MAX_BYTES = 16 * 1_048_576

/** Empty where there is no such regular file, or one over 16 MiB. */
export const readGuarded = async (place: string): Promise<string> => {
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  )
  if (file === undefined) return ''
  try {
    const found = await file.stat()
    return found.isFile() && found.size <= MAX_BYTES ? await file.readFile('utf8') : ''
  } finally {
    await file.close()
  }
}
