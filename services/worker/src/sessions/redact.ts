// Takes keys, tokens and passwords out of a configuration before anybody sees it.

import { maskSecrets } from '@switchyard/opencode'

const MASK = '***'

/** A field by that name holds a secret: apiKey, client_secret, Authorization, … */
const SECRET =
  /(?:^|[-_.\s])(?:key|keys|auth)$|[a-z]Key$|api[-_]?key|token|secret|passw(?:or)?d|passphrase|authorization|credential|cookie|private[-_]?key/i
/** Whatever is below them may be one: a header or a variable can have any name. */
const ALL_BELOW = /^(?:headers|env|environment|variables)$/i
/** `--token x`, `--api-key=x` */
const FLAG = /^--?[\w-]*(?:key|token|secret|passw(?:or)?d|auth)[\w-]*(=)?/i
const QUERY = /([?&][\w-]*(?:key|token|secret|passw(?:or)?d|auth|sig)[\w-]*=)[^&#\s]+/gi

const maskText = (text: string): string => maskSecrets(text).replace(QUERY, `$1${MASK}`)

/** Everything that can hold a secret, at any depth; numbers and switches such as `maxTokens` stay. */
const maskBelow = (value: unknown): unknown => {
  if (typeof value === 'string') return MASK
  if (Array.isArray(value)) return value.map(maskBelow)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, maskBelow(inner)]))
  return value
}

const maskList = (list: readonly unknown[]): readonly unknown[] =>
  list.map((item, at) => {
    if (typeof item !== 'string') return redact(item)
    const flag = FLAG.exec(item)
    if (flag?.[1] !== undefined) return `${flag[0]}${MASK}`
    const before = list[at - 1]
    const isValue = typeof before === 'string' && FLAG.exec(before)?.[0] === before
    return isValue ? MASK : maskText(item)
  })

/**
 * The same with `***` in the place of secrets.
 *
 * @example redact({ provider: { x: { options: { apiKey: 'k', baseURL: 'https://x' } } } })
 */
export const redact = (value: unknown): unknown => {
  if (typeof value === 'string') return maskText(value)
  if (Array.isArray(value)) return maskList(value)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      ALL_BELOW.test(key) || SECRET.test(key) ? maskBelow(inner) : redact(inner),
    ]),
  )
}
