// The complete standard output of a container, on disk: an event contains only a part of a long
// output. Every read of the engine's log starts at its beginning and may be cut short, and the
// engine drops the beginning of a long log, so what is stored is never removed.

import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import path from 'node:path'

/** The start of a log is found again in the file by this many bytes. */
const HEAD_BYTES = 4_096
const WINDOW_BYTES = 1_048_576

const readAt = async (handle: FileHandle, position: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

export class OutputFile {
  readonly #handle: FileHandle
  /** The size of what earlier reads have stored, bytes. */
  readonly #storedBytes: number
  /** The start of this read, until its position in the file is known. */
  #head: Buffer = Buffer.alloc(0)
  /** Where the next bytes belong in the file; null until that is known. */
  #position: number | null

  private constructor(handle: FileHandle, storedBytes: number) {
    this.#handle = handle
    this.#storedBytes = storedBytes
    this.#position = storedBytes === 0 ? 0 : null
  }

  /** Opens the file for one read of the log of a prompt's container. */
  static async open(directory: string, promptId: string): Promise<OutputFile> {
    await mkdir(directory, { recursive: true })
    const file = path.join(directory, `${promptId}.jsonl`)
    const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600)
    return new OutputFile(handle, (await handle.stat()).size)
  }

  /**
   * Stores the next bytes of the log, which starts where the container's output starts, or where
   * the engine's log does now.
   */
  async write(data: Buffer): Promise<void> {
    if (this.#position !== null) return await this.#writeAt(this.#position, data)
    this.#head = Buffer.concat([this.#head, data])
    if (this.#head.length >= Math.min(HEAD_BYTES, this.#storedBytes)) await this.#writeHead()
  }

  async close(): Promise<void> {
    try {
      if (this.#position === null && this.#head.length > 0) await this.#writeHead()
    } finally {
      await this.#handle.close()
    }
  }

  async #writeHead(): Promise<void> {
    await this.#writeAt(await this.#findStart(this.#head.subarray(0, HEAD_BYTES)), this.#head)
    this.#head = Buffer.alloc(0)
  }

  /** Finds where the log starts in the file: at the file's end if everything stored is older. */
  async #findStart(head: Buffer): Promise<number> {
    for (let from = 0; from < this.#storedBytes; from += WINDOW_BYTES) {
      const window = await readAt(this.#handle, from, WINDOW_BYTES + head.length)
      const found = window.indexOf(head.subarray(0, Math.min(head.length, this.#storedBytes)))
      if (found >= 0) return from + found
    }
    return this.#storedBytes
  }

  /** Skips what is stored already, because it is the same. */
  async #writeAt(start: number, data: Buffer): Promise<void> {
    this.#position = start + data.length
    for (let at = Math.max(0, this.#storedBytes - start); at < data.length; )
      at += (await this.#handle.write(data, at, data.length - at, start + at)).bytesWritten
  }
}
