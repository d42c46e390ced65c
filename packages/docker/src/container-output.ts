// Splits a container's output into lines, with bounded memory.

/** A longer line is truncated for live readers; the stored output has all of it. */
const MAX_LINE_BYTES = 8 * 1_048_576
const HEADER = 8
const STDERR = 2

export type OutputLine = {
  readonly from: 'stdout' | 'stderr'
  readonly text: string
  /** The line is longer than 8 MiB; `text` is its beginning. */
  readonly truncated: boolean
}

type Chunk = { readonly from: OutputLine['from']; readonly data: Buffer }

/** Splits one of the two streams into lines. */
class LineBuffer {
  readonly #from: OutputLine['from']
  #parts: Buffer[] = []
  #size = 0
  #truncated = false

  constructor(from: OutputLine['from']) {
    this.#from = from
  }

  *push(data: Buffer): Generator<OutputLine> {
    let start = 0
    for (let end = data.indexOf(10, start); end >= 0; end = data.indexOf(10, start)) {
      this.#append(data.subarray(start, end))
      yield this.#line()
      start = end + 1
    }
    this.#append(data.subarray(start))
  }

  *flush(): Generator<OutputLine> {
    if (this.#size > 0) yield this.#line()
  }

  #append(data: Buffer): void {
    const room = MAX_LINE_BYTES - this.#size
    if (data.length > room) this.#truncated = true
    const fitting = data.subarray(0, Math.max(0, room))
    if (fitting.length > 0) this.#parts.push(Buffer.from(fitting))
    this.#size += fitting.length
  }

  #line(): OutputLine {
    const line = { from: this.#from, text: Buffer.concat(this.#parts).toString('utf8'), truncated: this.#truncated }
    this.#parts = []
    this.#size = 0
    this.#truncated = false
    return line
  }
}

/**
 * Parses the engine's frames: one byte for the stream, three zero bytes, four bytes for the length, then the data
 * (https://docs.docker.com/reference/api/engine/, "Stream format"). Yields a frame in the chunks that it arrives in.
 */
async function* frames(source: AsyncIterable<Buffer>): AsyncGenerator<Chunk> {
  let header = Buffer.alloc(0)
  let from: Chunk['from'] = 'stdout'
  let left = 0
  for await (const chunk of source) {
    let data = chunk
    while (data.length > 0) {
      if (left === 0) {
        const missing = HEADER - header.length
        header = Buffer.concat([header, data.subarray(0, missing)])
        data = data.subarray(missing)
        if (header.length < HEADER) break
        from = header[0] === STDERR ? 'stderr' : 'stdout'
        left = header.readUInt32BE(4)
        header = Buffer.alloc(0)
        continue
      }
      const piece = data.subarray(0, left)
      left -= piece.length
      data = data.subarray(piece.length)
      yield { from, data: piece }
    }
  }
}

/**
 * Yields the lines of both streams, in the order in which their last bytes arrive.
 *
 * @param store - called with every byte of standard output before its lines are yielded. Reading waits until it resolves.
 */
export async function* lines(
  source: AsyncIterable<Buffer>,
  store: (data: Buffer) => Promise<void>,
): AsyncGenerator<OutputLine> {
  const buffers = { stdout: new LineBuffer('stdout'), stderr: new LineBuffer('stderr') }
  for await (const { from, data } of frames(source)) {
    if (from === 'stdout') await store(data)
    yield* buffers[from].push(data)
  }
  yield* buffers.stdout.flush()
  yield* buffers.stderr.flush()
}
