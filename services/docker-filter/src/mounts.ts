// Where a task's directory really is: on the host, and behind no link. An agent and a worker can both write below the
// working directories; a link there would lead a mount to wherever they like.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { NotAdmitted } from './create-check.ts'

/** @throws NotAdmitted where the directory is not there, or anything on the way to it is a link. */
export const requireRealDirectory = async (workspacesDir: string, directory: string): Promise<void> => {
  const below = path.relative(workspacesDir, directory).split(path.sep)
  let place = workspacesDir
  for (const name of ['', ...below]) {
    place = path.join(place, name)
    const found = await lstat(place).catch(() => undefined)
    if (!found?.isDirectory()) throw new NotAdmitted(`${place} is no directory`)
  }
}

/** The directory as the engine knows it. @param source - where the host has what we see as `workspacesDir`. */
export const onHost = (workspacesDir: string, source: string, directory: string): string =>
  path.join(source, path.relative(workspacesDir, directory))
