// Removes lock files of a git process that was killed. git never removes them itself, and every later
// command fails on them.

import { readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError } from '@switchyard/contracts'

/**
 * Removes stale lock files of a git directory after git failed on one. Lock files among the objects are
 * left alone.
 *
 * @param error - what git failed with; any other failure removes nothing
 * @param olderThanMs - minimum age of a lock file
 * @returns true when a file was removed, so a retry may succeed
 */
export const removeLockFiles = async (gitDir: string, error: unknown, olderThanMs: number): Promise<boolean> => {
  if (!isSwitchyardError(error) || error.context.lock_file !== true) return false
  const entries = [
    ...(await readdir(gitDir, { withFileTypes: true })),
    ...(await readdir(path.join(gitDir, 'refs'), { withFileTypes: true, recursive: true })),
  ]
  let removed = 0
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.lock')) continue
    const file = path.join(entry.parentPath, entry.name)
    const age = Date.now() - ((await stat(file).catch(() => undefined))?.mtimeMs ?? Date.now())
    if (age < olderThanMs) continue
    await rm(file, { force: true })
    removed += 1
  }
  return removed > 0
}
