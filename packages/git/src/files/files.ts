// Looks into a working directory that is not trusted: nothing outside of it can be reached, whatever links it holds.

import type { Stats } from 'node:fs'
import { constants, type FileHandle, lstat, open, opendir, readlink, realpath } from 'node:fs/promises'
import path from 'node:path'
import { type FileContent, type FileEntry, LIMITS, SwitchyardError } from '@switchyard/contracts'
import { isInside } from '../command/inside.ts'

const MAX_ENTRIES = 5_000
const DEFAULT_BYTES = 262_144
/** The longest character of UTF-8. */
const MIN_BYTES = 4

const outside = (given: string): SwitchyardError =>
  new SwitchyardError('path_outside_workspace', `"${given.slice(0, 200)}" is not inside the working directory`)

const missing = (given: string): SwitchyardError =>
  new SwitchyardError('file_not_found', `there is no "${given.slice(0, 200)}" in the working directory`)

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''

/** The repository's own files are not shown: they hold what the agent or git wrote there, not work. */
const isGit = (root: string, place: string): boolean => path.relative(root, place).split(path.sep).includes('.git')

/**
 * An agent may take its directory away and put a link to another place there: the root itself must be a directory.
 *
 * @throws SwitchyardError `workspace_gone`
 */
const realRoot = async (root: string): Promise<string> => {
  const found = await lstat(root).catch(() => undefined)
  if (!found?.isDirectory()) throw new SwitchyardError('workspace_gone', `${root} is no longer there`)
  return path.join(await realpath(path.dirname(path.resolve(root))), path.basename(path.resolve(root)))
}

/** The real place of a path given by a caller, links followed, checked against the real root. */
const resolveInside = async (root: string, given: string): Promise<string> => {
  if (given.includes('\0') || path.isAbsolute(given)) throw outside(given)
  const wanted = path.resolve(root, given)
  if (!isInside(root, wanted) || isGit(root, wanted)) throw outside(given)
  try {
    const real = await realpath(wanted)
    if (!isInside(root, real) || isGit(root, real)) throw outside(given)
    return real
  } catch (error) {
    if (error instanceof SwitchyardError) throw error
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR' || codeOf(error) === 'ENAMETOOLONG')
      throw missing(given)
    // A loop of links, or a directory that may not be entered.
    throw outside(given)
  }
}

const typeOf = (stats: Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): FileEntry['type'] | null => {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  return stats.isSymbolicLink() ? 'symlink' : null
}

/**
 * The entries of one directory, by name. Sockets, pipes and devices are left out, and so is `.git`.
 *
 * @throws SwitchyardError `path_outside_workspace`, `file_not_found`, `workspace_gone`
 */
export const listFiles = async (
  directory: string,
  given = '.',
): Promise<{ readonly path: string; readonly entries: readonly FileEntry[]; readonly truncated: boolean }> => {
  const root = await realRoot(directory)
  const place = await resolveInside(root, given === '' ? '.' : given)
  const entries: FileEntry[] = []
  let truncated = false
  const held = await open(
    place,
    constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  ).catch((error: unknown) => {
    if (codeOf(error) === 'ENOTDIR')
      throw new SwitchyardError('file_not_found', `"${given}" is not a directory`, {
        hint: 'Read a file with its content call.',
      })
    throw codeOf(error) === 'ELOOP' ? outside(given) : missing(given)
  })
  try {
    const real = await placeOf(held.fd, place)
    if (!isInside(root, real) || isGit(root, real)) throw outside(given)
    // Through the open directory where the system offers that: a swap of directories in between changes nothing.
    const source = await readlink(`/proc/self/fd/${held.fd}`).then(
      () => `/proc/self/fd/${held.fd}`,
      () => place,
    )
    for await (const entry of await opendir(source)) {
      if (entry.name === '.git') continue
      if (entries.length >= MAX_ENTRIES) {
        truncated = true
        break
      }
      const type = typeOf(entry)
      if (type === null) continue
      const at = path.join(place, entry.name)
      const stats = type === 'file' ? await lstat(path.join(source, entry.name)).catch(() => null) : null
      entries.push({
        name: entry.name,
        path: path.relative(root, at).split(path.sep).join('/'),
        type,
        size: stats?.size ?? null,
      })
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw missing(given)
    throw error
  } finally {
    await held.close()
  }
  const shown = path.relative(root, place).split(path.sep).join('/')
  return {
    path: shown === '' ? '.' : shown,
    entries: entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    truncated,
  }
}

/** Where an open file really is: the only check that no swap of links in between can fool. */
const placeOf = async (fd: number, fallback: string): Promise<string> => {
  try {
    return await readlink(`/proc/self/fd/${fd}`)
  } catch {
    return await realpath(fallback)
  }
}

/** Where valid UTF-8 that was cut at the end stops: at most 3 bytes of a character may be missing. */
const withoutCutCharacter = (bytes: Buffer): Buffer => {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if ((byte & 0xc0) === 0x80) continue
    const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return needs > back ? bytes.subarray(0, bytes.length - back) : bytes
  }
  return bytes
}

const asText = (bytes: Buffer): string | null => {
  if (bytes.includes(0)) return null
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

type Page = Pick<FileContent, 'content' | 'encoding' | 'truncated'>

/** At most `limit` bytes; null where they end within the first character. */
const readPage = async (file: FileHandle, size: number, offset: number, limit: number): Promise<Page | null> => {
  const buffer = Buffer.alloc(Math.max(0, Math.min(limit, size - offset)))
  const { bytesRead } = buffer.length > 0 ? await file.read(buffer, 0, buffer.length, offset) : { bytesRead: 0 }
  const read = buffer.subarray(0, bytesRead)
  const truncated = offset + read.length < size
  const bytes = truncated ? withoutCutCharacter(read) : read
  if (bytes.length === 0 && read.length > 0) return null
  const text = asText(bytes)
  return text === null
    ? { content: read.toString('base64'), encoding: 'base64', truncated }
    : { content: text, encoding: 'utf-8', truncated }
}

/**
 * A part of a file: text as UTF-8, anything else as base64. Reads `limit` bytes (default 256 KiB, 1 MiB at most) from `offset`.
 *
 * @throws SwitchyardError `path_outside_workspace`, `file_not_found`, `workspace_gone`
 */
export const readFile = async (
  directory: string,
  given: string,
  part: { readonly offset?: number; readonly limit?: number } = {},
): Promise<FileContent> => {
  const root = await realRoot(directory)
  const place = await resolveInside(root, given)
  // Without O_NONBLOCK the open of a pipe waits for a writer.
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      throw codeOf(error) === 'ELOOP' ? outside(given) : missing(given)
    },
  )
  try {
    const stats = await file.stat()
    const real = await placeOf(file.fd, place)
    if (!isInside(root, real) || isGit(root, real)) throw outside(given)
    if (!stats.isFile())
      throw new SwitchyardError('file_not_found', `"${given}" is not a regular file`, {
        hint: 'List a directory with its files call.',
      })
    const offset = part.offset ?? 0
    const limit = Math.min(part.limit ?? DEFAULT_BYTES, LIMITS.fileBytes)
    // A limit within the first character gives that character: a reader that goes page by page gets on.
    const page =
      (await readPage(file, stats.size, offset, limit)) ?? (await readPage(file, stats.size, offset, MIN_BYTES))
    return {
      path: path.relative(root, place).split(path.sep).join('/'),
      content: page?.content ?? '',
      encoding: page?.encoding ?? 'utf-8',
      size: stats.size,
      truncated: page?.truncated ?? false,
    }
  } finally {
    await file.close()
  }
}
