// Reads a small text file that an agent may have put there.

import { constants, open } from 'node:fs/promises'

const MAX_BYTES = 16 * 1_048_576

/**
 * Returns the text of a file, without following a link or waiting for the writer of a pipe.
 *
 * @returns an empty text when the path is not a regular file, or when the file is over 16 MiB
 */
export const readUntrustedFile = async (file: string): Promise<string> => {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  )
  if (handle === undefined) return ''
  try {
    const found = await handle.stat()
    return found.isFile() && found.size <= MAX_BYTES ? await handle.readFile('utf8') : ''
  } finally {
    await handle.close()
  }
}
