// Where a path leads once its symbolic links are resolved.

import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import path from 'node:path'

/** The kernel follows at most this many symbolic links. */
const MAX_LINKS = 40

/** Whether `file` is `directory` or lies below it. Both must be absolute. */
export const isWithin = (directory: string, file: string): boolean => {
  const relative = path.relative(directory, file)
  return relative === '' || (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative))
}

/**
 * Returns the path that opening or creating `file` would reach. Its last components need not exist; a symbolic link that leads
 * to nothing is followed too, because writing to it creates its target.
 *
 * @throws Error ELOOP
 */
export const resolveLinks = (file: string, links = 0): string => {
  if (links > MAX_LINKS) throw new Error(`ELOOP: too many symbolic links, ${file}`)
  try {
    return realpathSync(file)
  } catch {
    const parent = path.dirname(file)
    if (parent === file) return file
    const here = path.join(resolveLinks(parent, links + 1), path.basename(file))
    return isLink(here) ? resolveLinks(path.resolve(path.dirname(here), readlinkSync(here)), links + 1) : here
  }
}

const isLink = (file: string): boolean => lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
