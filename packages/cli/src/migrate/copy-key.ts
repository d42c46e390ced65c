// Copies a deploy key out of the older manager's tree, so that the tree can go one day.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'

/**
 * An equal one that is there is as good.
 *
 * @returns whether it was written now
 * @throws SwitchyardError `directory_unwritable` where another key has its place
 */
export const copyKey = async (from: string, to: string): Promise<boolean> => {
  const key = await readFile(from, 'utf8')
  const known = await readFile(to, 'utf8').catch(() => null)
  if (known === key) return false
  if (known !== null)
    throw new SwitchyardError('directory_unwritable', `${to} is another key`, {
      hint: 'Move it away, or name another directory with --keys.',
    })
  await mkdir(path.dirname(to), { recursive: true, mode: 0o700 })
  // It appears whole.
  await writeFile(`${to}.new`, key, { mode: 0o600 })
  await rename(`${to}.new`, to)
  return true
}
