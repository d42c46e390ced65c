// Server-sent events, as far as OpenCode uses them: `data:` lines, ended by an empty line.

export type SseParser = {
  /** Takes bytes as they come, cut anywhere. */
  readonly push: (chunk: Uint8Array) => void
}

/** More than any event of OpenCode: beyond it the stream is not what we take it for. */
const MAX_BUFFERED = 64 * 1024 * 1024

/**
 * Calls `onData` with the data of each event, in order.
 *
 * @throws Error from `push` when 64 MiB came without the end of an event.
 */
export const createSseParser = (onData: (data: string) => void): SseParser => {
  const decoder = new TextDecoder()
  let rest = ''
  let data: string[] = []
  return {
    push: (chunk) => {
      const text = decoder.decode(chunk, { stream: true })
      // Looking only at the new text keeps a large event, cut into many chunks, from being scanned again and again.
      if (!text.includes('\n')) {
        rest += text
        if (rest.length > MAX_BUFFERED) throw new Error('an event without an end')
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
