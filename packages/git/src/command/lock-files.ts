// Lock files that a git that was killed left behind; git itself never removes them, and fails on them for ever.

import { readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError } from '@switchyard/contracts'

/**
 * After a failure of git on a lock file, removes those at least `olderThanMs` old, outside of the objects.
 *
 * @returns whether trying again may help
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
