// What subagents did in a container: OpenCode prints nothing of it as it happens, and has it in its data afterwards.

import type { Message, Part } from '@opencode-ai/sdk/v2'
import type { NewEvent } from '@switchyard/contracts'
import { isObject } from '@switchyard/contracts'
import type { SessionMessage } from '../client/session-types.ts'
import { parseObject } from '../json-object.ts'
import { Narrator } from '../narration/narrator.ts'
import { asRunning } from '../narration/running-state.ts'
import { keptPart, Room } from './retained-part.ts'

/** One line: `{ session, title, message, info, id, part }`: ids, the session's title, and the data of a message and of one part of it. */
type Row = { readonly title: string; readonly info: Message; readonly part: Part }

const parseRow = (text: string): Row | undefined => {
  const row = parseObject(text)
  if (!row || !isObject(row.info) || !isObject(row.part)) return undefined
  const { session: sessionID, title, message: messageID, id } = row
  if ([sessionID, title, messageID, id].some((each) => typeof each !== 'string')) return undefined
  return {
    title: String(title),
    info: { ...row.info, id: messageID, sessionID } as Message,
    part: { ...row.part, id, sessionID, messageID } as Part,
  }
}

/** Of one transcript, bytes. */
const ROOM_BYTES = 16 * 1_048_576

type Draft = { readonly info: Message; readonly parts: Part[] }

export class SubagentTranscript {
  readonly #directory: string
  readonly #narrator = new Narrator()
  readonly #seen = new Set<string>()
  readonly #room = new Room(ROOM_BYTES)
  readonly #sessions = new Map<string, Map<string, Draft>>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** It keeps as much as it may: nothing more is to be taken. */
  get isFull(): boolean {
    return this.#room.isFull
  }

  /** Each session's messages, with what a turn is summed up from. */
  get sessions(): readonly (readonly SessionMessage[])[] {
    return [...this.#sessions.values()].map((messages) => [...messages.values()])
  }

  /**
   * Adds one line: a part, in the order in which parts began.
   *
   * @returns its events; undefined when the line is not a part, or was added before.
   */
  addLine(text: string): readonly NewEvent[] | undefined {
    const row = parseRow(text)
    if (!row || this.#seen.has(row.part.id)) return undefined
    this.#seen.add(row.part.id)
    const { info, part, title } = row
    const messages = this.#sessions.get(info.sessionID) ?? new Map<string, Draft>()
    this.#sessions.set(info.sessionID, messages)
    const draft = messages.get(info.id) ?? this.#begin(info)
    messages.set(info.id, draft)
    const kept = keptPart(part)
    this.#room.takePart(kept)
    if (kept) draft.parts.push(kept)
    const context = { directory: this.#directory, child: title }
    const before = part.type === 'tool' ? asRunning(part) : undefined
    return [
      ...(before ? this.#narrator.narrate(before, info, context) : []),
      ...this.#narrator.narrate(part, info, context),
    ]
  }

  #begin(info: Message): Draft {
    this.#room.take(JSON.stringify(info))
    return { info, parts: [] }
  }
}
