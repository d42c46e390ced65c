// Parses server-sent events as far as OpenCode uses them: `data:` lines, ended by an empty line.

export type SseParser = {
  /** Adds bytes; an event may be split anywhere. */
  readonly push: (chunk: Uint8Array) => void
}

/** Larger than any event of OpenCode: beyond it the stream is not an event stream. */
const MAX_BUFFERED = 64 * 1024 * 1024

/**
 * Calls `onData` with the data of each event, in order.
 *
 * @throws Error from `push` when 64 MiB arrived without the end of a line
 */
export const createSseParser = (onData: (data: string) => void): SseParser => {
  const decoder = new TextDecoder()
  let rest = ''
  let data: string[] = []
  return {
    push: (chunk) => {
      const text = decoder.decode(chunk, { stream: true })
      // Scanning only the new text keeps a large event in many chunks from being scanned again with each chunk.
      if (!text.includes('\n')) {
        rest += text
        if (rest.length > MAX_BUFFERED) throw new Error('event is longer than 64 MiB')
        return
      }
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const clean = line.endsWith('\r') ? line.slice(0, -1) : line
        if (clean === '') {
          if (data.length > 0) onData(data.join('\n'))
          data = []
        } else if (clean.startsWith('data:')) {
          data.push(clean.slice(clean.startsWith('data: ') ? 6 : 5))
        }
      }
    },
  }
}
