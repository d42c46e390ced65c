// What a server in another container holds, as that container itself writes it down (deploy/opencode-report.sh).

import { constants, open } from 'node:fs/promises'

/** Of one who has stopped writing nothing is known, ms. */
const OLDEST_MS = 30_000
const MAX_BYTES = 32

/**
 * Whatever runs in that container can write there, so it is read as nothing but a number.
 *
 * @param file - bytes, in decimal
 * @returns undefined where there is no such file, or none of the last 30 s
 */
export const reportedMemory = async (file: string): Promise<number | undefined> => {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  )
  if (handle === undefined) return undefined
  try {
    const found = await handle.stat()
    if (!found.isFile() || found.size > MAX_BYTES || Date.now() - found.mtimeMs > OLDEST_MS) return undefined
    const text = (await handle.readFile('utf8')).trim()
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined
  } finally {
    await handle.close()
  }
}
