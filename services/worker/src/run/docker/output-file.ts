// The whole standard output of a container, on disk, for whoever looks for what an event has cut. The engine's log is read from
// its beginning each time, for as long as there is time, and a long one has lost its beginning by then: what is kept stays.

import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import path from 'node:path'

/** By so much of its beginning a log is found again in the file, bytes. */
const HEAD = 4_096
const WINDOW = 1_048_576

const readAt = async (handle: FileHandle, position: number, length: number): Promise<Buffer> => {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

export class OutputFile {
  readonly #handle: FileHandle
  /** What earlier readings have kept, bytes. */
  readonly #kept: number
  #head: Buffer = Buffer.alloc(0)
  /** Where the next bytes belong; null until that is known. */
  #position: number | null

  private constructor(handle: FileHandle, kept: number) {
    this.#handle = handle
    this.#kept = kept
    this.#position = kept === 0 ? 0 : null
  }

  static async open(directory: string, promptId: string): Promise<OutputFile> {
    await mkdir(directory, { recursive: true })
    const file = path.join(directory, `${promptId}.jsonl`)
    const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600)
    return new OutputFile(handle, (await handle.stat()).size)
  }

  /** Takes what the container has printed, in its order: from its beginning, or from where the engine's log now begins. */
  async keep(data: Buffer): Promise<void> {
    if (this.#position !== null) return await this.#write(data)
    this.#head = Buffer.concat([this.#head, data])
    if (this.#head.length >= Math.min(HEAD, this.#kept)) await this.#place()
  }

  async close(): Promise<void> {
    try {
      if (this.#position === null && this.#head.length > 0) await this.#place()
    } finally {
      await this.#handle.close()
    }
  }

  async #place(): Promise<void> {
    this.#position = await this.#whereBegins(this.#head.subarray(0, HEAD))
    await this.#write(this.#head)
    this.#head = Buffer.alloc(0)
  }

  /** Where it begins in the file; at the file's end where all that is kept is older. */
  async #whereBegins(head: Buffer): Promise<number> {
    for (let from = 0; from < this.#kept; from += WINDOW) {
      const window = await readAt(this.#handle, from, WINDOW + head.length)
      const found = window.indexOf(head.subarray(0, Math.min(head.length, this.#kept)))
      if (found >= 0) return from + found
    }
    return this.#kept
  }

  /** What is there already is the same. */
  async #write(data: Buffer): Promise<void> {
    const begin = this.#position ?? 0
    this.#position = begin + data.length
    for (let at = Math.max(0, this.#kept - begin); at < data.length; )
      at += (await this.#handle.write(data, at, data.length - at, begin + at)).bytesWritten
  }
}
