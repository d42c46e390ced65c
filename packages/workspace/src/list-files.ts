// Lists one directory of a working directory.

import type { Stats } from 'node:fs'
import { constants, lstat, opendir, readlink } from 'node:fs/promises'
import path from 'node:path'
import { type FileEntry, type FileList, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import { missingError, openInside, shownPath } from './safe-path.ts'

const MAX_ENTRIES = 5_000

const typeOf = (entry: Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): FileEntry['type'] | null => {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  return entry.isSymbolicLink() ? 'symlink' : null
}

/** Reads through the open descriptor where the system has /proc, so that replacing a directory meanwhile has no effect. */
const sourceOf = async (fd: number, fallback: string): Promise<string> =>
  await readlink(`/proc/self/fd/${fd}`).then(
    () => `/proc/self/fd/${fd}`,
    () => fallback,
  )

/**
 * Returns the entries of one directory, sorted by name, 5,000 at most. Sockets, pipes, devices and `.git` are left out.
 *
 * @param directory - the working directory
 * @param given - a directory relative to it; empty or `.` for itself
 * @throws SwitchyardError `path_outside_workspace`, `file_not_found`, `workspace_gone`
 */
export const listFiles = async (directory: string, given = '.'): Promise<Omit<FileList, 'task_id'>> => {
  const opened = await openInside(directory, given === '' ? '.' : given, constants.O_DIRECTORY).catch(
    (error: unknown) => {
      if (systemErrorCode(error) !== 'ENOTDIR') throw error
      throw new SwitchyardError('file_not_found', `"${given}" is not a directory`, {
        hint: 'Read a file with its content call.',
      })
    },
  )
  const { handle, root } = opened
  const entries: FileEntry[] = []
  let truncated = false
  try {
    const source = await sourceOf(handle.fd, opened.path)
    for await (const entry of await opendir(source)) {
      if (entry.name === '.git') continue
      if (entries.length >= MAX_ENTRIES) {
        truncated = true
        break
      }
      const type = typeOf(entry)
      if (type === null) continue
      const stats = type === 'file' ? await lstat(path.join(source, entry.name)).catch(() => null) : null
      entries.push({
        name: entry.name,
        path: shownPath({ root, path: path.join(opened.path, entry.name) }),
        type,
        size: stats?.size ?? null,
      })
    }
  } catch (error) {
    throw systemErrorCode(error) === 'ENOENT' ? missingError(given) : error
  } finally {
    await handle.close()
  }
  return {
    path: shownPath(opened),
    entries: entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    truncated,
  }
}
