// Parses the commands that people write in Matrix, such as `!cancel`.

import type { Control } from '@switchyard/contracts'

export type Command =
  | { readonly kind: 'control'; readonly control: Control; readonly reason: string | undefined }
  | { readonly kind: 'reject'; readonly reason: string | undefined }
  | { readonly kind: 'say'; readonly message: string }
  | { readonly kind: 'status' | 'diff' | 'help' }
  | { readonly kind: 'unknown'; readonly name: string }

/** Returns the command of a message; undefined if it is not a command. */
export const parseCommand = (body: string): Command | undefined => {
  const [, word, rest = ''] = /^!([a-z]+)\b\s*(.*)$/is.exec(body) ?? []
  if (word === undefined) return undefined
  const name = word.toLowerCase()
  const reason = rest.trim() === '' ? undefined : rest.trim().slice(0, 2_000)
  switch (name) {
    case 'cancel':
    case 'pause':
    case 'resume':
      return { kind: 'control', control: name, reason }
    case 'reject':
      return { kind: 'reject', reason }
    case 'say':
      return rest.trim() === '' ? { kind: 'help' } : { kind: 'say', message: rest.trim() }
    case 'status':
    case 'diff':
    case 'help':
      return { kind: name }
    default:
      return { kind: 'unknown', name: name.slice(0, 30) }
  }
}
