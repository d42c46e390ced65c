// What stays in memory of a part that was reported: only what a turn's summary needs. A tool's input and output may be
// megabytes, and a process in the container can print anything.

import type { Part } from '@opencode-ai/sdk/v2'

/** Of an answer; a task's result holds no more of it, characters. */
const MAX_TEXT = 200_000
/** A refusal begins with what it is, characters. */
const MAX_ERROR = 1_000
/** What a part costs whose text is not kept: its ids, in several places, bytes. */
const PART_BYTES = 512
const CHARACTER_BYTES = 2

/** A slice of a string keeps all of it in memory: this is a copy. */
const cut = (text: string, max: number): string =>
  text.length <= max ? text : Buffer.from(text.slice(0, max), 'utf8').toString('utf8')

const ids = ({ id, sessionID, messageID }: Part) => ({ id, sessionID, messageID })

/** @returns undefined for a part that says nothing of how the turn ended, nor what its answer is. */
export const keptPart = (part: Part): Part | undefined => {
  if (part.type === 'text')
    return part.synthetic || part.ignored ? undefined : { ...ids(part), type: 'text', text: cut(part.text, MAX_TEXT) }
  if (part.type !== 'tool' || part.state.status !== 'error') return undefined
  const { error, time } = part.state
  const state = { status: 'error' as const, input: {}, error: cut(error, MAX_ERROR), time }
  return { ...ids(part), type: 'tool', tool: part.tool, callID: part.callID, state }
}

/** How much of the worker's memory one transcript may take. */
export class Room {
  readonly bytes: number
  #taken = 0

  constructor(bytes: number) {
    this.bytes = bytes
  }

  get isFull(): boolean {
    return this.#taken > this.bytes
  }

  /** Counts a part, with what is kept of it. */
  takePart(kept: Part | undefined): void {
    this.#taken += PART_BYTES + (kept?.type === 'text' ? kept.text.length * CHARACTER_BYTES : 0)
  }

  /** Counts what is kept whole, by its text. */
  take(text: string): void {
    this.#taken += text.length * CHARACTER_BYTES
  }
}
