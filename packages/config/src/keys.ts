// Parses SWITCHYARD_API_KEYS: entries of name:role:token.

import { z } from 'zod'

export type ApiKey = { readonly name: string; readonly role: 'operator' | 'agent'; readonly token: string }

const MIN_TOKEN_LENGTH = 16

/** Comma- or line-separated `name:role:token`. The token may itself contain colons. */
export const apiKeys = z.string().transform((text, context): readonly ApiKey[] => {
  const keys: ApiKey[] = []
  const refuse = (message: string) => context.addIssue({ code: 'custom', message })
  for (const [index, entry] of text
    .split(/[,\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .entries()) {
    const [name, role, ...rest] = entry.split(':')
    const token = rest.join(':')
    // The entry itself is a secret: messages name it by its number.
    if (!name || (role !== 'operator' && role !== 'agent') || token === '')
      refuse(`entry ${index + 1} is not name:role:token with role operator or agent`)
    else if (token.length < MIN_TOKEN_LENGTH)
      refuse(`the token of "${name}" is shorter than ${MIN_TOKEN_LENGTH} characters`)
    else if (keys.some((key) => key.name === name)) refuse(`the name "${name}" occurs twice`)
    else if (keys.some((key) => key.token === token)) refuse(`the token of "${name}" belongs to another name as well`)
    else keys.push({ name, role, token })
  }
  return keys
})
