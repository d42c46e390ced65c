// The position of a reader in a session's events: the last part that was reported, and parts before it that had not ended.
//
// The session itself is the store: with a cursor, any process can read its messages again and continue after the last event.
// OpenCode's ids ascend, so cursors sort like their events.

import { SwitchyardError } from '@switchyard/contracts'

/** What was reported of a part: 0 nothing, 1 its start, 2 its end. */
export type Told = 0 | 1 | 2

export type Cursor = {
  readonly messageId: string
  /** A part's id, or `end` for the end of a turn, which comes after the parts. */
  readonly item: string
  readonly open: ReadonlyMap<string, Told>
}

export const END = 'end'

const CURSOR = /^(msg_[0-9A-Za-z]{1,80})\.(end|prt_[0-9A-Za-z]{1,80})((?:~prt_[0-9A-Za-z]{1,80}:[01]){0,100})$/

export const formatCursor = ({ messageId, item, open }: Cursor): string =>
  `${messageId}.${item}${[...open].map(([part, reported]) => `~${part}:${reported}`).join('')}`

/** @throws SwitchyardError `invalid_request` */
export const parseCursor = (text: string): Cursor => {
  const [, messageId, item, open] = CURSOR.exec(text) ?? []
  if (messageId === undefined || item === undefined)
    throw new SwitchyardError('invalid_request', 'Last-Event-ID: is not the id of an event of a session')
  return {
    messageId,
    item,
    open: new Map(
      (open ?? '')
        .split('~')
        .slice(1)
        .map((entry) => {
          const [part = '', told] = entry.split(':')
          return [part, told === '1' ? 1 : 0] as const
        }),
    ),
  }
}
