// Whether one place is in another, by their names alone: links have to be followed before.

import path from 'node:path'

/** Both absolute and without `..`; a directory is not below itself. */
export const isBelow = (root: string, place: string): boolean => place.startsWith(`${root}${path.sep}`)

/** As `isBelow`, or the directory itself. */
export const isInside = (root: string, place: string): boolean => place === root || isBelow(root, place)
