// The directory of a task: really where it is to be, behind no link, and the same from the moment its container is made. An agent and a
// worker can both write beside it; a link there would lead a mount to wherever they like.

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { NotAdmitted } from './create-check.ts'

const REAL_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Opens it step by step, each in the directory that was opened before, so that nothing on the way can be exchanged meanwhile.
 * As long as it is open nothing else can get its number.
 *
 * @throws NotAdmitted where it is not there, or anything on the way to it is a link.
 */
export const openRoot = async (workspacesDir: string, directory: string): Promise<FileHandle> => {
  let at = await open(workspacesDir, REAL_DIRECTORY).catch(() => noDirectory(workspacesDir))
  let place = workspacesDir
  for (const name of path.relative(workspacesDir, directory).split(path.sep)) {
    if (name === '') continue
    place = path.join(place, name)
    await using above = at
    at = await open(`/proc/self/fd/${above.fd}/${name}`, REAL_DIRECTORY).catch(() => noDirectory(place))
  }
  return at
}

const noDirectory = (place: string): never => {
  throw new NotAdmitted(`${place} is no directory that can be read`)
}

/** `device:inode`, the same in every container that has it mounted. */
export const idOf = async (root: FileHandle): Promise<string> => {
  const { dev, ino } = await root.stat({ bigint: true })
  return `${dev}:${ino}`
}

/** The directory as the engine knows it. @param source - where the host has what we see as `workspacesDir`. */
export const onHost = (workspacesDir: string, source: string, directory: string): string =>
  path.join(source, path.relative(workspacesDir, directory))
