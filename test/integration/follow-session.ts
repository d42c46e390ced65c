// Reads the event stream of a session.

import { type SessionEvent, sessionEventSchema } from '@switchyard/contracts'
import { createParser } from 'eventsource-parser'

/**
 * Reads events until one matches `isLast`.
 *
 * @param after - the id of the last event that the reader received.
 * @returns all events up to and including the match.
 */
export const followSession = async (
  url: string,
  key: string,
  isLast: (event: SessionEvent) => boolean,
  after?: string,
): Promise<readonly SessionEvent[]> => {
  const stop = new AbortController()
  const response = await fetch(url, {
    headers: {
      accept: 'text/event-stream',
      authorization: `Bearer ${key}`,
      ...(after === undefined ? {} : { 'last-event-id': after }),
    },
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(50_000)]),
  })
  if (!response.ok || !response.body) throw new Error(`no event stream: ${response.status} ${await response.text()}`)
  const events: SessionEvent[] = []
  const parser = createParser({
    onEvent: ({ id, data }) => {
      const event = sessionEventSchema.parse(JSON.parse(data))
      if ((id ?? null) !== event.id) throw new Error(`the event ${event.id} came as ${id}`)
      events.push(event)
    },
  })
  try {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      parser.feed(chunk)
      const end = events.findIndex(isLast)
      if (end >= 0) return events.slice(0, end + 1)
    }
    return events
  } finally {
    stop.abort()
  }
}
