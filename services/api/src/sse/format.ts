// Formats server-sent events as bytes.

const encoder = new TextEncoder()

export type SseEvent = {
  /** Absent for an event that a reader cannot resume from. */
  readonly id?: string | number | undefined
  readonly event: string
  readonly data: unknown
}

/** Returns an event; `data` is sent as JSON. */
export const formatEvent = ({ id, event, data }: SseEvent): Uint8Array =>
  encoder.encode(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)

/** Returns a comment, which readers ignore. @param id - the position to resume from, for a comment that advances it */
export const formatComment = (text: string, id?: string | number): Uint8Array =>
  encoder.encode(`: ${text}\n${id === undefined ? '' : `id: ${id}\n`}\n`)

/** Returns the field that sets how long a disconnected reader waits before it reconnects, ms. */
export const formatRetry = (ms: number): Uint8Array => encoder.encode(`retry: ${ms}\n\n`)
