// Gives git the objects of a directory that an agent can write to, and nothing else that is in it. Lists of alternate
// object directories and commit graphs (`info/`) stay out: an agent can change them between a check and git's own read.

import { mkdir, readdir, symlink } from 'node:fs/promises'
import path from 'node:path'
import { isRealDirectory } from './git-directory.ts'

const OBJECTS = /^(?:pack|[0-9a-f]{2})$/

/**
 * Creates a directory of links to the packs and loose objects of an object directory. The view of a directory that is a
 * link, belongs to a `.git` that is a link, or does not exist is empty.
 */
export const createObjectView = async (objectDir: string, view: string): Promise<void> => {
  await mkdir(view, { recursive: true })
  if (!(await isRealDirectory(path.dirname(objectDir))) || !(await isRealDirectory(objectDir))) return
  const entries = await readdir(objectDir, { withFileTypes: true })
  await Promise.all(
    entries
      .filter((entry) => entry.isDirectory() && OBJECTS.test(entry.name))
      .map((entry) => symlink(path.join(objectDir, entry.name), path.join(view, entry.name))),
  )
}
