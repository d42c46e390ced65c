// Reads a part of one file of a working directory.

import type { FileHandle } from 'node:fs/promises'
import { type FileContent, LIMITS, SwitchyardError } from '@switchyard/contracts'
import { openInside, shownPath } from './safe-path.ts'

const DEFAULT_BYTES = 262_144
/** The longest character of UTF-8. */
const MIN_BYTES = 4

/** Removes a character that was cut at the end: of valid UTF-8 at most 3 bytes of it can be present. */
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

/** Returns at most `limit` bytes; null where they end inside the first character. */
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
 * Returns a part of a file: text as UTF-8, anything else as base64.
 *
 * @param directory - the working directory
 * @param given - the file's path relative to it
 * @param part.offset - bytes to skip; default 0
 * @param part.limit - bytes, default 256 KiB, 1 MiB at most
 * @throws SwitchyardError `path_outside_workspace`, `file_not_found`, `workspace_gone`
 */
export const readFile = async (
  directory: string,
  given: string,
  part: { readonly offset?: number | undefined; readonly limit?: number | undefined } = {},
): Promise<FileContent> => {
  const opened = await openInside(directory, given)
  const { handle } = opened
  try {
    const stats = await handle.stat()
    if (!stats.isFile())
      throw new SwitchyardError('file_not_found', `"${given}" is not a regular file`, {
        hint: 'List a directory with its files call.',
      })
    const offset = part.offset ?? 0
    const limit = Math.min(part.limit ?? DEFAULT_BYTES, LIMITS.fileBytes)
    // A limit that ends inside the first character returns that character, so that a reader always makes progress.
    const page =
      (await readPage(handle, stats.size, offset, limit)) ?? (await readPage(handle, stats.size, offset, MIN_BYTES))
    return {
      path: shownPath(opened),
      content: page?.content ?? '',
      encoding: page?.encoding ?? 'utf-8',
      size: stats.size,
      truncated: page?.truncated ?? false,
    }
  } finally {
    await handle.close()
  }
}
