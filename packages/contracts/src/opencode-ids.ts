// Ids of messages in OpenCode's format; they sort by the time of their creation.
//
// The sender of a message chooses its id: a message that is sent twice with one id starts one turn.

import { randomBytes } from 'node:crypto'

export type OpenCodeMessageId = `msg_${string}`

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_LENGTH = 14

let lastTime = 0
let counter = 0

/**
 * Returns a message id. Record it before you send the prompt, so that the message can be found again.
 *
 * It has 6 bytes of time (milliseconds × 4096 + a counter, without the upper bits) as hex, and 14 random characters. The ids of
 * one process increase strictly, and the server's own have the same form. Measured: OpenCode 1.18 orders messages by its own
 * clock, not by id, and accepts ids an hour ahead or behind, so different clocks do no harm.
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
