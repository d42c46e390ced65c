// Resolves a path that a caller names inside a working directory that is not trusted: an agent may have put a symbolic link
// anywhere in it, and may replace a directory by a link while we read.

import { constants, type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises'
import path from 'node:path'
import { isInside, SwitchyardError, systemErrorCode } from '@switchyard/contracts'

/** A directory or file inside the working directory, open for reading. */
export type OpenedPath = {
  readonly handle: FileHandle
  /** The real path of the working directory. */
  readonly root: string
  /** The real path of what is open. */
  readonly path: string
}

const MAX_SHOWN = 200
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])

const outsideError = (given: string): SwitchyardError =>
  new SwitchyardError('path_outside_workspace', `"${given.slice(0, MAX_SHOWN)}" is not inside the working directory`)

export const missingError = (given: string): SwitchyardError =>
  new SwitchyardError('file_not_found', `"${given.slice(0, MAX_SHOWN)}" does not exist in the working directory`)

/** `.git` is never shown: it holds what git or the agent wrote for git, not work. */
const isGit = (root: string, target: string): boolean => path.relative(root, target).split(path.sep).includes('.git')

/**
 * Returns the real path of the working directory. The directory itself must not be a link: an agent can replace it by one.
 *
 * @throws SwitchyardError `workspace_gone`
 */
const realRoot = async (directory: string): Promise<string> => {
  const absolute = path.resolve(directory)
  const found = await lstat(absolute).catch(() => undefined)
  if (!found?.isDirectory()) throw new SwitchyardError('workspace_gone', `${directory} does not exist any more`)
  return path.join(await realpath(path.dirname(absolute)), path.basename(absolute))
}

const resolveInside = async (root: string, given: string): Promise<string> => {
  if (given.includes('\0') || path.isAbsolute(given)) throw outsideError(given)
  const wanted = path.resolve(root, given)
  if (!isInside(root, wanted) || isGit(root, wanted)) throw outsideError(given)
  const real = await realpath(wanted).catch((error: unknown) => {
    // Any other error is a loop of links, or a directory without permission to enter.
    throw MISSING.has(systemErrorCode(error) ?? '') ? missingError(given) : outsideError(given)
  })
  if (!isInside(root, real) || isGit(root, real)) throw outsideError(given)
  return real
}

/** Returns the real path behind a file descriptor: no exchange of links between the check and the open can change it. */
const pathOfDescriptor = async (fd: number, fallback: string): Promise<string> => {
  try {
    return await readlink(`/proc/self/fd/${fd}`)
  } catch {
    return await realpath(fallback)
  }
}

/**
 * Opens a path inside a working directory. The caller closes the handle.
 *
 * @param given - relative to `directory`; links are followed as long as they stay inside
 * @param flags - added to O_RDONLY
 * @throws SwitchyardError `path_outside_workspace`, `file_not_found`, `workspace_gone`; the file system's own error for
 *   ENOTDIR with O_DIRECTORY
 */
export const openInside = async (directory: string, given: string, flags = 0): Promise<OpenedPath> => {
  const root = await realRoot(directory)
  const target = await resolveInside(root, given)
  // Without O_NONBLOCK opening a pipe waits for a writer.
  const handle = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | flags).catch(
    (error: unknown) => {
      if (systemErrorCode(error) === 'ENOTDIR' && (flags & constants.O_DIRECTORY) !== 0) throw error
      throw systemErrorCode(error) === 'ELOOP' ? outsideError(given) : missingError(given)
    },
  )
  try {
    const real = await pathOfDescriptor(handle.fd, target)
    if (!isInside(root, real) || isGit(root, real)) throw outsideError(given)
    return { handle, root, path: target }
  } catch (error) {
    await handle.close()
    throw systemErrorCode(error) === 'ENOENT' ? missingError(given) : error
  }
}

/** Returns a path relative to the working directory, with `/`; the directory itself is `.`. */
export const shownPath = ({ root, path: target }: Pick<OpenedPath, 'root' | 'path'>): string =>
  path.relative(root, target).split(path.sep).join('/') || '.'
