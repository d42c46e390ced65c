// Reads the token counts of an answer while it passes through. It never changes or delays a byte.

import { largerCounts, NO_TOKENS, readTokenCounts, type TokenCounts } from './token-counts.ts'

/** A longer line, body or frame is passed on without being read. */
const MAX_MESSAGE_BYTES = 8 * 1_048_576

export type AnswerMeter = {
  readonly write: (chunk: Uint8Array) => void
  /** Call it after the last chunk. @returns the counts, or zeros if the answer reports none. */
  readonly end: () => TokenCounts
}

/**
 * Returns the meter for an answer.
 *
 * @param contentType - the answer's: server-sent events, an Amazon event stream, or JSON. Anything else is not read.
 * @param isEncoded - whether the answer is compressed, so that it cannot be read.
 */
export const createAnswerMeter = (contentType: string | undefined, isEncoded: boolean): AnswerMeter => {
  if (isEncoded || contentType === undefined) return { write: () => {}, end: () => NO_TOKENS }
  let counts = NO_TOKENS
  const read = (text: string): void => {
    // Most events have no counts, and parsing them would cost more than this.
    if (!text.includes('"usage')) return
    try {
      const found = readTokenCounts(JSON.parse(text))
      if (found) counts = largerCounts(counts, found)
    } catch {
      // An error page or an unknown format: the client judges it.
    }
  }
  if (contentType.includes('text/event-stream')) return { ...eventLines(read), end: () => counts }
  if (contentType.includes('vnd.amazon.eventstream')) return { write: eventFrames(read), end: () => counts }
  if (contentType.includes('json')) {
    const body = wholeBody(read)
    return {
      write: body.write,
      end: () => {
        body.end()
        return counts
      },
    }
  }
  return { write: () => {}, end: () => NO_TOKENS }
}

/** Cuts server-sent events into lines and reads those with data. */
const eventLines = (read: (text: string) => void): { readonly write: (chunk: Uint8Array) => void } => {
  const decoder = new TextDecoder()
  let rest = ''
  return {
    write: (chunk) => {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > MAX_MESSAGE_BYTES) rest = ''
      for (const line of lines) if (line.startsWith('data:')) read(line.slice(5).trim())
    },
  }
}

const FRAME_PRELUDE_BYTES = 12
const CHECKSUM_BYTES = 4

/**
 * Cuts an Amazon event stream into frames: length, length of the headers, checksum, headers, payload, checksum.
 */
const eventFrames = (read: (text: string) => void): ((chunk: Uint8Array) => void) => {
  let rest = Buffer.alloc(0)
  let isBroken = false
  return (chunk) => {
    if (isBroken) return
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= FRAME_PRELUDE_BYTES) {
      const length = rest.readUInt32BE(0)
      const headers = rest.readUInt32BE(4)
      if (length > MAX_MESSAGE_BYTES || headers + FRAME_PRELUDE_BYTES + CHECKSUM_BYTES > length) {
        isBroken = true
        return
      }
      if (rest.length < length) return
      read(rest.toString('utf8', FRAME_PRELUDE_BYTES + headers, length - CHECKSUM_BYTES))
      rest = rest.subarray(length)
    }
  }
}

const wholeBody = (read: (text: string) => void) => {
  const chunks: Uint8Array[] = []
  let size = 0
  return {
    write: (chunk: Uint8Array): void => {
      size += chunk.length
      if (size <= MAX_MESSAGE_BYTES) chunks.push(chunk)
    },
    end: (): void => {
      if (size <= MAX_MESSAGE_BYTES) read(Buffer.concat(chunks).toString('utf8'))
    },
  }
}
