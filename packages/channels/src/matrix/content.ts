// The content of Matrix events: text with HTML, threads, edits and files.

import { bold, type FormattedText, join, plain } from './formatted-text.ts'
import type { Content } from './homeserver.ts'

/** The thread of a message; null for a message in the room itself. */
export type ThreadPosition = {
  readonly rootEventId: string
  /** The message that it replies to. */
  readonly replyTo?: string | undefined
} | null

/** Text that is too long for a message. */
export type Attachment = { readonly name: string; readonly type: string; readonly content: string }

export type MatrixMessage = { readonly text: FormattedText; readonly attachment?: Attachment }

export type MessageOptions = {
  /** A text message notifies the people in the room, a notice does not. */
  readonly kind: 'text' | 'notice'
  readonly position: ThreadPosition
  /** Users to mention. Nobody else is notified, even if the text contains `@room`. */
  readonly mentions?: readonly string[]
}

/** https://spec.matrix.org/latest/client-server-api/#threading */
const relation = (position: ThreadPosition): Content => {
  if (position === null) return {}
  const { rootEventId, replyTo } = position
  return {
    'm.relates_to': {
      rel_type: 'm.thread',
      event_id: rootEventId,
      is_falling_back: replyTo === undefined,
      'm.in_reply_to': { event_id: replyTo ?? rootEventId },
    },
  }
}

const textContent = (
  { body, html }: FormattedText,
  kind: MessageOptions['kind'],
  mentions: readonly string[],
): Content => ({
  msgtype: `m.${kind}`,
  body,
  format: 'org.matrix.custom.html',
  formatted_body: html,
  'm.mentions': mentions.length > 0 ? { user_ids: [...mentions] } : {},
})

export const messageContent = (text: FormattedText, { kind, position, mentions = [] }: MessageOptions): Content => ({
  ...textContent(text, kind, mentions),
  ...relation(position),
})

/** https://spec.matrix.org/latest/client-server-api/#event-replacements */
export const editContent = (text: FormattedText, eventId: string): Content => ({
  ...textContent(join(plain('* '), text), 'notice', []),
  'm.new_content': textContent(text, 'notice', []),
  'm.relates_to': { rel_type: 'm.replace', event_id: eventId },
})

/** @param uri - the `mxc://` address of the uploaded file. */
export const fileContent = ({ name, type, content }: Attachment, uri: string, position: ThreadPosition): Content => ({
  msgtype: 'm.file',
  body: name,
  filename: name,
  url: uri,
  info: { mimetype: type, size: Buffer.byteLength(content) },
  'm.mentions': {},
  ...relation(position),
})

/** Returns a line with an emoji, bold words and further details. */
export const headline = (emoji: string, words: string, details = ''): FormattedText =>
  join(plain(`${emoji} `), bold(words), plain(details === '' ? '' : ` · ${details}`))
