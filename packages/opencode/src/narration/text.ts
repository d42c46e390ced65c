// Turns what a tool or a model wrote into short, clean text: one line, bounded, without secrets or control characters.

import { isSecretField, MASK, maskSecrets } from './mask-secrets.ts'

/** The longest message of an event, in characters. */
export const MAX_MESSAGE = 300

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escapes are control characters
const ANSI = /\u001b(?:\[[0-9;?]{0,32}[ -/]{0,4}[@-~]|\][^\u0007\u001b]{0,500}(?:\u0007|\u001b\\)|[@-Z\\-_])/g
// Control characters, and the invisible ones that reorder or hide text.
const UNSEEN = /[\p{Cc}\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+/gu
// biome-ignore lint/suspicious/noControlCharactersInRegex: Postgres stores no NUL
const NUL = /\u0000/g

/** One clean line of at most `max` characters, cut with an ellipsis. */
export const oneLine = (text: string, max = MAX_MESSAGE): string => {
  // More than is shown is masked, so that a secret at the edge is still recognised.
  const clean = maskSecrets(text.slice(0, max * 8).replace(ANSI, '')).replace(UNSEEN, ' ')
  const line = clean.replace(/\s+/g, ' ').trim()
  return line.length > max ? `${line.slice(0, max - 1).trimEnd()}…`.toWellFormed() : line.toWellFormed()
}

/** A text for programs: masked, at most `max` bytes of UTF-8, with its line ends. */
export const bounded = (text: string, max: number): { readonly text: string; readonly truncated: boolean } => {
  const clean = maskSecrets(text.slice(0, max * 2))
    .replace(NUL, '')
    .toWellFormed()
  const bytes = Buffer.from(clean, 'utf8')
  if (bytes.length <= max && text.length <= max * 2) return { text: clean, truncated: false }
  // A character that is cut in two would become a replacement mark.
  return {
    text: bytes
      .subarray(0, max)
      .toString('utf8')
      .replace(/\ufffd+$/, ''),
    truncated: true,
  }
}

/** An object for programs: masked, and at most about `max` bytes as JSON; long strings are cut first. */
export const boundedObject = (
  value: Readonly<Record<string, unknown>>,
  max: number,
): { readonly value: Readonly<Record<string, unknown>>; readonly truncated: boolean } => {
  for (const limit of [max, max / 4, max / 16, max / 64]) {
    const cut = { happened: limit < max }
    const small = shrink(value, limit, 0, cut) as Record<string, unknown>
    if (Buffer.byteLength(JSON.stringify(small)) <= max) return { value: small, truncated: cut.happened }
  }
  return { value: {}, truncated: true }
}

const MAX_DEPTH = 6
const MAX_ITEMS = 100

const shrink = (value: unknown, limit: number, depth: number, cut: { happened: boolean }): unknown => {
  if (typeof value === 'string') {
    const result = bounded(value, limit)
    cut.happened ||= result.truncated
    return result.text
  }
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) {
    cut.happened = true
    return null
  }
  if (Array.isArray(value)) {
    cut.happened ||= value.length > MAX_ITEMS
    return value.slice(0, MAX_ITEMS).map((item) => shrink(item, limit, depth + 1, cut))
  }
  const entries = Object.entries(value)
  cut.happened ||= entries.length > MAX_ITEMS
  return Object.fromEntries(
    entries
      .slice(0, MAX_ITEMS)
      .map(([key, item]) => [
        key.slice(0, 200).replace(NUL, '').toWellFormed(),
        isSecretField(key) && typeof item === 'string' ? MASK : shrink(item, limit, depth + 1, cut),
      ]),
  )
}

/** A path as a person in the task's directory would write it. */
export const relativePath = (path: string, directory: string): string => {
  const root = directory.replace(/\/+$/, '')
  if (path === root || path === `${root}/`) return '.'
  return root !== '' && path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path
}

/** A text in which the task's directory is not spelt out. */
export const withoutDirectory = (text: string, directory: string): string => {
  const root = directory.replace(/\/+$/, '')
  if (root === '') return text
  const escaped = root.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return text.replace(new RegExp(`${escaped}/`, 'g'), '').replace(new RegExp(`${escaped}(?![\\w.-])`, 'g'), '.')
}

/** `1 file`, `2 files`; the plural is given where it is not the word with an s. */
export const count = (number: number, word: string, plural = `${word}s`): string =>
  `${number.toLocaleString('en')} ${number === 1 ? word : plural}`
