// Ids of messages in OpenCode's own format, which sort by the time they were made.
//
// Chosen on this side of the wire, by the sender of the message: sent twice with one id, it starts one turn.

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
export const newOpenCodeMessageId = (now: number = Date.now()): OpenCodeMessageId => {
  if (now > lastTime) {
    lastTime = now
    counter = 0
  }
  counter += 1
  const time = (BigInt(lastTime) * 4096n + BigInt(counter)) & 0xffff_ffff_ffffn
  return `msg_${time.toString(16).padStart(12, '0')}${randomText(RANDOM_LENGTH)}`
}

const randomText = (length: number): string =>
  Array.from(randomBytes(length), (byte) => DIGITS.charAt(byte % DIGITS.length)).join('')
