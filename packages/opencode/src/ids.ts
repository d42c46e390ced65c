// Message and part ids in OpenCode's own format, which sort by the time they were made.

import { randomBytes } from 'node:crypto'

export type OpenCodeMessageId = `msg_${string}`

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_LENGTH = 14

let lastTime = 0
let counter = 0

/**
 * A message id to record before the prompt is sent, so that the message can be found again.
 *
 * 6 bytes of time (milliseconds × 4096 + a counter, the upper bits cut off) as hex, then 14 random characters. Ids of one
 * process rise strictly; the server's own are made in the same way. Measured: 1.18 orders messages by its own clock and
 * not by id, and takes ids an hour ahead or behind, so clocks that differ do no harm.
 */
export const newMessageId = (now: number = Date.now()): OpenCodeMessageId => {
  if (now > lastTime) {
    lastTime = now
    counter = 0
  }
  counter += 1
  const time = (BigInt(lastTime) * 4096n + BigInt(counter)) & 0xffff_ffff_ffffn
  return `msg_${time.toString(16).padStart(12, '0')}${randomText(RANDOM_LENGTH)}`
}

/**
 * The id of the n-th part of a message: always the same for the same message. A prompt that is sent twice then replaces
 * its own parts instead of adding to them, which makes sending it again harmless (measured: one turn, one text).
 */
export const partId = (messageId: string, index = 0): string =>
  `prt_${messageId.replace(/^msg_/, '')}${index === 0 ? '' : index.toString(36)}`

const randomText = (length: number): string =>
  Array.from(randomBytes(length), (byte) => DIGITS.charAt(byte % DIGITS.length)).join('')
