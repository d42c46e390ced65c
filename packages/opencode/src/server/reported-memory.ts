// Reads the memory that a server's container reports in a file (deploy/opencode-report.sh).

import { constants, open } from 'node:fs/promises'

/** An older report is ignored, ms. */
const MAX_AGE_MS = 30_000
const MAX_BYTES = 32

/**
 * Returns the reported memory in bytes. Anything in that container can write the file, so only a plain decimal number in a
 * regular file is accepted.
 *
 * @returns undefined when the file does not exist, is older than 30 s, or contains anything else
 */
export const reportedMemory = async (file: string): Promise<number | undefined> => {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  )
  if (handle === undefined) return undefined
  try {
    const found = await handle.stat()
    if (!found.isFile() || found.size > MAX_BYTES || Date.now() - found.mtimeMs > MAX_AGE_MS) return undefined
    const text = (await handle.readFile('utf8')).trim()
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined
  } finally {
    await handle.close()
  }
}
