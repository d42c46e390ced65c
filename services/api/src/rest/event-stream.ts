// What the streams of server-sent events have in common: how they are asked for, resumed and answered.

import { SwitchyardError } from '@switchyard/contracts'

export const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  // nginx holds back what it proxies unless it is told not to.
  'X-Accel-Buffering': 'no',
}

export const wantsStream = (accept: string | undefined): boolean =>
  /(^|,)\s*text\/event-stream\s*(;|,|$)/i.test(accept ?? '')

/** The number in a Last-Event-ID header; undefined where there is none. @throws SwitchyardError `invalid_request` */
export const eventNumber = (lastEventId: string | undefined, max: number): number | undefined => {
  if (lastEventId === undefined || lastEventId === '') return undefined
  const number = /^\d{1,16}$/.test(lastEventId) ? Number(lastEventId) : Number.NaN
  if (number <= max) return number
  throw new SwitchyardError('invalid_request', 'Last-Event-ID: is not the number of an event')
}
