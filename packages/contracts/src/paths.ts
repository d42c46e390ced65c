// Compares paths by name. Callers that must not follow links out of a directory resolve them first.

import path from 'node:path'

/** Returns true when `candidate` lies inside `root`. A directory is not below itself. */
export const isBelow = (root: string, candidate: string): boolean => {
  const relative = path.relative(root, candidate)
  return relative !== '' && relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative)
}

/** Returns true when `candidate` is `root` or lies inside it. */
export const isInside = (root: string, candidate: string): boolean =>
  path.relative(root, candidate) === '' || isBelow(root, candidate)
