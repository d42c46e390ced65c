// Opens the directory that a container mounts without following links. An agent or a worker can write
// next to it, and a symbolic link there would lead the mount to any directory of the host.

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { NotAllowed } from './not-allowed.ts'

const REAL_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Opens a directory one path segment at a time, each one relative to the previous handle, so that
 * nothing on the path can be replaced meanwhile. While the handle is open, the inode cannot be reused.
 *
 * @throws NotAllowed if the directory does not exist or a segment of its path is a link
 */
export const openDirectory = async (workspacesDir: string, directory: string): Promise<FileHandle> => {
  let handle = await open(workspacesDir, REAL_DIRECTORY).catch(() => refuse(workspacesDir))
  let current = workspacesDir
  for (const name of path.relative(workspacesDir, directory).split(path.sep)) {
    if (name === '') continue
    current = path.join(current, name)
    await using parent = handle
    handle = await open(`/proc/self/fd/${parent.fd}/${name}`, REAL_DIRECTORY).catch(() => refuse(current))
  }
  return handle
}

const refuse = (directory: string): never => {
  throw new NotAllowed(`${directory} is not a readable directory`)
}

/** Returns `device:inode`, which is the same in every container that mounts the directory. */
export const directoryId = async (directory: FileHandle): Promise<string> => {
  const { dev, ino } = await directory.stat({ bigint: true })
  return `${dev}:${ino}`
}

/** Returns the path of a directory on the host. @param source - the host's path of `workspacesDir`. */
export const hostPath = (workspacesDir: string, source: string, directory: string): string =>
  path.join(source, path.relative(workspacesDir, directory))
