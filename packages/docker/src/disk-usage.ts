// Measures the disk space that a task's directory uses.

import { execFile } from 'node:child_process'

/** ms. A directory with millions of files takes longer to count. */
const TIMEOUT_MS = 30_000

/**
 * Returns the bytes that a directory uses on its file system. Does not follow links or enter other file systems.
 *
 * @returns undefined when the count takes longer than 30 s
 */
export const diskUsage = (directory: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    // `du` exits with 1 when files disappear while it counts, and still prints the total.
    execFile('du', ['-skx', '--', directory], { timeout: TIMEOUT_MS }, (_error, stdout) => {
      const kibibytes = Number(/^(\d+)/.exec(stdout)?.[1] ?? Number.NaN)
      resolve(Number.isFinite(kibibytes) ? kibibytes * 1_024 : undefined)
    })
  })
