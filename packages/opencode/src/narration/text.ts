// Turns the output of tools and models into clean text of bounded length, without secrets and control characters.

import { isSecretField, MASK, maskSecrets } from './mask-secrets.ts'

/** The maximum length of an event's message, in characters. */
export const MAX_MESSAGE = 300

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escapes are control characters
const ANSI = /\u001b(?:\[[0-9;?]{0,32}[ -/]{0,4}[@-~]|\][^\u0007\u001b]{0,500}(?:\u0007|\u001b\\)|[@-Z\\-_])/g
// Control characters, and invisible characters that reorder or hide text.
const INVISIBLE = /[\p{Cc}\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+/gu
// biome-ignore lint/suspicious/noControlCharactersInRegex: Postgres stores no NUL
const NUL = /\u0000/g

/** Returns one clean line of at most `max` characters, truncated with an ellipsis. */
export const oneLine = (text: string, max = MAX_MESSAGE): string => {
  // Masks more text than is returned, so that a secret at the cut is still recognised.
  const clean = maskSecrets(text.slice(0, max * 8).replace(ANSI, '')).replace(INVISIBLE, ' ')
  const line = clean.replace(/\s+/g, ' ').trim()
  return line.length > max ? `${line.slice(0, max - 1).trimEnd()}…`.toWellFormed() : line.toWellFormed()
}

/** Returns the text for programs: masked, at most `max` bytes of UTF-8, with line breaks. */
export const boundedText = (text: string, max: number): { readonly text: string; readonly truncated: boolean } => {
  const clean = maskSecrets(text.slice(0, max * 2))
    .replace(NUL, '')
    .toWellFormed()
  const bytes = Buffer.from(clean, 'utf8')
  if (bytes.length <= max && text.length <= max * 2) return { text: clean, truncated: false }
  // Cutting through a character would leave a replacement character.
  return {
    text: bytes
      .subarray(0, max)
      .toString('utf8')
      .replace(/\ufffd+$/, ''),
    truncated: true,
  }
}

/** Returns the object for programs: masked, and at most `max` bytes as JSON. Long strings are truncated first. */
export const boundedObject = (
  value: Readonly<Record<string, unknown>>,
  max: number,
): { readonly value: Readonly<Record<string, unknown>>; readonly truncated: boolean } => {
  for (const limit of [max, max / 4, max / 16, max / 64]) {
    const state = { truncated: limit < max }
    const small = shrink(value, limit, 0, state) as Record<string, unknown>
    if (Buffer.byteLength(JSON.stringify(small)) <= max) return { value: small, truncated: state.truncated }
  }
  return { value: {}, truncated: true }
}

const MAX_DEPTH = 6
const MAX_ITEMS = 100

const shrink = (value: unknown, limit: number, depth: number, state: { truncated: boolean }): unknown => {
  if (typeof value === 'string') {
    const result = boundedText(value, limit)
    state.truncated ||= result.truncated
    return result.text
  }
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) {
    state.truncated = true
    return null
  }
  if (Array.isArray(value)) {
    state.truncated ||= value.length > MAX_ITEMS
    return value.slice(0, MAX_ITEMS).map((item) => shrink(item, limit, depth + 1, state))
  }
  const entries = Object.entries(value)
  state.truncated ||= entries.length > MAX_ITEMS
  return Object.fromEntries(
    entries
      .slice(0, MAX_ITEMS)
      .map(([key, item]) => [
        key.slice(0, 200).replace(NUL, '').toWellFormed(),
        isSecretField(key) && typeof item === 'string' ? MASK : shrink(item, limit, depth + 1, state),
      ]),
  )
}

/** Returns the path relative to the task's directory, or unchanged when it is outside. */
export const relativePath = (path: string, directory: string): string => {
  const root = directory.replace(/\/+$/, '')
  if (path === root || path === `${root}/`) return '.'
  return root !== '' && path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path
}

/** Returns the text with absolute paths in the task's directory made relative to it. */
export const withoutDirectory = (text: string, directory: string): string => {
  const root = directory.replace(/\/+$/, '')
  if (root === '') return text
  const escaped = root.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return text.replace(new RegExp(`${escaped}/`, 'g'), '').replace(new RegExp(`${escaped}(?![\\w.-])`, 'g'), '.')
}

/** Returns `1 file` or `2 files`. */
export const count = (number: number, word: string, plural = `${word}s`): string =>
  `${number.toLocaleString('en')} ${number === 1 ? word : plural}`
