// Messages as the Matrix specification writes them: text with HTML, threads, edits, files.

import type { Content } from './homeserver.ts'
import { bold, join, text, type Wording } from './wording.ts'

/** Where a message belongs; null: to the room itself, which is the task's own. */
export type Place = {
  readonly rootEventId: string
  /** The message that it answers. */
  readonly replyTo?: string | undefined
} | null

export type MessageOptions = {
  /** A text notifies those in the room, a notice does not. */
  readonly kind: 'text' | 'notice'
  readonly place: Place
  /** Whom to call by name. Without anyone nobody is, whatever the text says: a value with @room in it must not. */
  readonly mentions?: readonly string[]
}

/** https://spec.matrix.org/latest/client-server-api/#threading */
const relation = (place: Place): Content => {
  if (place === null) return {}
  const { rootEventId, replyTo } = place
  return {
    'm.relates_to': {
      rel_type: 'm.thread',
      event_id: rootEventId,
      is_falling_back: replyTo === undefined,
      'm.in_reply_to': { event_id: replyTo ?? rootEventId },
    },
  }
}

const wordsOf = ({ body, html }: Wording, kind: MessageOptions['kind'], mentions: readonly string[]): Content => ({
  msgtype: `m.${kind}`,
  body,
  format: 'org.matrix.custom.html',
  formatted_body: html,
  'm.mentions': mentions.length > 0 ? { user_ids: [...mentions] } : {},
})

export const messageContent = (wording: Wording, { kind, place, mentions = [] }: MessageOptions): Content => ({
  ...wordsOf(wording, kind, mentions),
  ...relation(place),
})

/** https://spec.matrix.org/latest/client-server-api/#event-replacements */
export const editContent = (wording: Wording, eventId: string): Content => ({
  ...wordsOf(join(text('* '), wording), 'notice', []),
  'm.new_content': wordsOf(wording, 'notice', []),
  'm.relates_to': { rel_type: 'm.replace', event_id: eventId },
})

/** Text that is too long for a message. */
export type Attachment = { readonly name: string; readonly type: string; readonly text: string }

export const fileContent = ({ name, type, text: file }: Attachment, uri: string, place: Place): Content => ({
  msgtype: 'm.file',
  body: name,
  filename: name,
  url: uri,
  info: { mimetype: type, size: Buffer.byteLength(file) },
  'm.mentions': {},
  ...relation(place),
})

/** A line that begins with a sign and something in bold. */
export const headline = (sign: string, words: string, more = ''): Wording =>
  join(text(`${sign} `), bold(words), text(more === '' ? '' : ` · ${more}`))
