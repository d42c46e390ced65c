// The https tokens of git hosts: `host=token` or `host=user:token` entries of GIT_HTTPS_TOKENS, or of a file.

import { z } from 'zod'
import { readNamedFile } from './named-file.ts'

export type GitToken = {
  /** With the port where it is not 443. */
  readonly host: string
  /** Undefined: the user that the forge expects with a token. */
  readonly user: string | undefined
  readonly token: string
}

const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/

/** Comma- or line-separated. A token with a colon in it needs a user before it. */
const entries = (text: string, refuse: (message: string) => void): readonly GitToken[] => {
  const tokens: GitToken[] = []
  for (const [index, entry] of text
    .split(/[,\n]/)
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('#'))
    .entries()) {
    const [, name = '', rest = ''] = /^([^=]*)=(.*)$/.exec(entry) ?? []
    const host = name.trim().toLowerCase().replace(/:443$/, '')
    const colon = rest.indexOf(':')
    const user = colon === -1 ? undefined : rest.slice(0, colon).trim()
    const token = rest.slice(colon + 1).trim()
    // The entry itself is a secret: messages name it by its number.
    if (!HOST.test(host)) refuse(`entry ${index + 1} is not host=token or host=user:token`)
    else if (token === '' || user === '' || /[\p{Cc}]/u.test(rest)) refuse(`the token of ${host} is empty or not valid`)
    else if (tokens.some((other) => other.host === host)) refuse(`the host ${host} occurs twice`)
    else tokens.push({ host, user, token })
  }
  return tokens
}

export const gitTokens = z
  .string()
  .transform((text, context) => entries(text, (message) => context.addIssue({ code: 'custom', message })))

/** A file of the same entries, read at the start. */
export const gitTokensFile = z
  .string()
  .optional()
  .transform((file, context): readonly GitToken[] => {
    const refuse = (message: string) => context.addIssue({ code: 'custom', message })
    return entries(readNamedFile(file, refuse) ?? '', refuse)
  })
