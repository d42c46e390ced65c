// What a container prints, as lines: taken from the engine's stream with a bound on memory.

/** A line over this size is cut for whoever reads it live; on disk it is whole. */
const MAX_LINE_BYTES = 8 * 1_048_576
const HEADER = 8
const STDERR = 2

export type OutputLine = {
  readonly from: 'stdout' | 'stderr'
  readonly text: string
  /** The line was longer than what is kept in memory, and `text` is its beginning. */
  readonly truncated: boolean
}

type Chunk = { readonly from: OutputLine['from']; readonly data: Buffer }

/** Cuts one of the two streams into lines. */
class LineBuffer {
  readonly #from: OutputLine['from']
  #parts: Buffer[] = []
  #size = 0
  #truncated = false

  constructor(from: OutputLine['from']) {
    this.#from = from
  }

  *take(data: Buffer): Generator<OutputLine> {
    let begin = 0
    for (let end = data.indexOf(10, begin); end >= 0; end = data.indexOf(10, begin)) {
      this.#keep(data.subarray(begin, end))
      yield this.#line()
      begin = end + 1
    }
    this.#keep(data.subarray(begin))
  }

  *rest(): Generator<OutputLine> {
    if (this.#size > 0) yield this.#line()
  }

  #keep(data: Buffer): void {
    const room = MAX_LINE_BYTES - this.#size
    if (data.length > room) this.#truncated = true
    const kept = data.subarray(0, Math.max(0, room))
    if (kept.length > 0) this.#parts.push(Buffer.from(kept))
    this.#size += kept.length
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
 * The engine's frames: one byte that says which stream, three of nothing, four of length, then the data
 * (https://docs.docker.com/reference/api/engine/, "Stream format"). A frame is passed on in the pieces it arrives in.
 */
async function* frames(source: AsyncIterable<Buffer>): AsyncGenerator<Chunk> {
  let header = Buffer.alloc(0)
  let from: Chunk['from'] = 'stdout'
  let left = 0
  for await (const arrived of source) {
    let data = arrived
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
 * The lines of both streams, in the order in which their ends arrive.
 *
 * @param keep - gets every byte of standard output, before the lines: for whoever keeps it whole. Reading waits for it.
 */
export async function* lines(
  source: AsyncIterable<Buffer>,
  keep: (data: Buffer) => Promise<void>,
): AsyncGenerator<OutputLine> {
  const buffers = { stdout: new LineBuffer('stdout'), stderr: new LineBuffer('stderr') }
  for await (const { from, data } of frames(source)) {
    if (from === 'stdout') await keep(data)
    yield* buffers[from].take(data)
  }
  yield* buffers.stdout.rest()
  yield* buffers.stderr.rest()
}
