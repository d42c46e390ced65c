// How much a task keeps on disk.

import { execFile } from 'node:child_process'

/** A directory with millions of files is not waited for, ms. */
const TIMEOUT_MS = 30_000

/**
 * Bytes that a directory takes, as the file system counts them; links are not followed and other file systems not entered.
 *
 * @returns undefined where it could not be measured in time.
 */
export const diskUsage = (directory: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    // Files may go while they are counted: that makes the exit code, and the figure is there all the same.
    execFile('du', ['-skx', '--', directory], { timeout: TIMEOUT_MS }, (_error, stdout) => {
      const kibibytes = Number(/^(\d+)/.exec(stdout)?.[1] ?? Number.NaN)
      resolve(Number.isFinite(kibibytes) ? kibibytes * 1_024 : undefined)
    })
  })
