// What all routes with server-sent events share: how a client requests, resumes and receives them.

import { SwitchyardError } from '@switchyard/contracts'

export const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  // Without this, nginx buffers the responses that it proxies.
  'X-Accel-Buffering': 'no',
}

export const wantsStream = (accept: string | undefined): boolean =>
  /(^|,)\s*text\/event-stream\s*(;|,|$)/i.test(accept ?? '')

/** Returns the number in a Last-Event-ID header, or undefined without one. @throws SwitchyardError `invalid_request` */
export const parseLastEventId = (lastEventId: string | undefined, max: number): number | undefined => {
  if (lastEventId === undefined || lastEventId === '') return undefined
  const number = /^\d{1,16}$/.test(lastEventId) ? Number(lastEventId) : Number.NaN
  if (number <= max) return number
  throw new SwitchyardError('invalid_request', 'Last-Event-ID: is not an event number')
}
