// Removes keys, tokens and passwords from a configuration before it is shown.

import { maskSecrets } from '@switchyard/opencode'

const MASK = '***'

/** Names of fields that hold a secret: apiKey, client_secret, Authorization, … */
const SECRET =
  /(?:^|[-_.\s])(?:key|keys|auth)$|[a-z]Key$|api[-_]?key|token|secret|passw(?:or)?d|passphrase|authorization|credential|cookie|private[-_]?key/i
/** Everything below these fields may be a secret: a header or a variable can have any name. */
const ALL_BELOW = /^(?:headers|env|environment|variables|args)$/i
const QUERY = /([?&][\w-]*(?:key|token|secret|passw(?:or)?d|auth|sig)[\w-]*=)[^&#\s]+/gi
/** Options of a provider that are not secret. Providers' packages accept others, and some of those are secret. */
const PROVIDER_OPTIONS = new Set(['baseURL', 'enterpriseUrl', 'region'])

const maskText = (text: string): string => maskSecrets(text).replace(QUERY, `$1${MASK}`)

/** Redacts every string at any depth; numbers and booleans such as `maxTokens` stay. */
const maskBelow = (value: unknown): unknown => {
  if (typeof value === 'string') return MASK
  if (Array.isArray(value)) return value.map(maskBelow)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, maskBelow(inner)]))
  return value
}

/** An argument can be a secret without looking like one: `-p x`, `-e DB=x`. */
const programOf = ([program, ...args]: readonly unknown[]): readonly unknown[] => [
  ...(typeof program === 'string' ? [maskText(program)] : []),
  ...(args.length > 0 ? [MASK] : []),
]

/** The rest of an address can itself grant access. */
const hostOf = (url: unknown): string => {
  if (typeof url !== 'string' || !URL.canParse(url)) return MASK
  const { origin } = new URL(url)
  return origin === 'null' ? MASK : origin
}

type Show = (value: unknown) => unknown

/** How what stands at a place is shown, where that says more than its name: `['mcp', 'tracker', 'url']`. */
const showAt = (path: readonly string[]): Show | undefined => {
  const [top, , field = '', option = ''] = path
  if (top === 'plugin' && field === '1') return maskBelow
  if (top === 'lsp' && field === 'initialization') return maskBelow
  if (top === 'mcp' && field === 'url') return hostOf
  if (top === 'provider' && field === 'options' && path.length === 4 && !PROVIDER_OPTIONS.has(option)) return maskBelow
  return undefined
}

const redactAt = (value: unknown, path: readonly string[]): unknown => {
  const key = path.at(-1) ?? ''
  const show = showAt(path)
  if (show) return show(value)
  if (ALL_BELOW.test(key) || SECRET.test(key)) return maskBelow(value)
  if (typeof value === 'string') return maskText(value)
  if (Array.isArray(value))
    return key === 'command' ? programOf(value) : value.map((item, at) => redactAt(item, [...path, String(at)]))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redactAt(inner, [...path, name])]))
}

/**
 * Returns a configuration of OpenCode with `***` in place of secrets. Commands show only their program, and MCP servers'
 * addresses only scheme, host and port.
 *
 * @example redact({ provider: { x: { options: { apiKey: 'k', baseURL: 'https://x' } } } })
 */
export const redact = (config: unknown): unknown => redactAt(config, [])
