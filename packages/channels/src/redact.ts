// Prepares an agent's text for other systems: removes secrets and file contents, and limits the length.

const REPLACEMENT = '[removed]'

/** Credentials with a known format. */
const CREDENTIALS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}/g,
  /\bxox[a-z]-[A-Za-z0-9-]{10,}|\bsyt_[A-Za-z0-9_]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}|\bnpm_[A-Za-z0-9]{20,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}/g,
  /\beyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]*/g,
]

/** Credentials after a name, such as `password=`. The name is kept. */
const NAMED_CREDENTIALS: readonly RegExp[] = [
  /(\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}/gi,
  /(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@]+@/gi,
  /((?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)["']?\s*[=:]\s*["']?)[^\s"',;]{4,}/gi,
]

const withoutSecrets = (text: string): string => {
  const withoutNamed = NAMED_CREDENTIALS.reduce((rest, pattern) => {
    const replacement = pattern.source.includes('@') ? `$1${REPLACEMENT}@` : `$1${REPLACEMENT}`
    return rest.replaceAll(pattern, replacement)
  }, text)
  return CREDENTIALS.reduce((rest, pattern) => rest.replaceAll(pattern, REPLACEMENT), withoutNamed)
}

/** Removes code blocks, and the lines of diffs outside them. */
const withoutFileContents = (text: string): string =>
  text
    .replaceAll(/^[ \t]*(```|~~~)[\s\S]*?(?:^[ \t]*\1[ \t]*$|$(?![\s\S]))/gm, '[code left out]')
    .replaceAll(/^(?:diff --git |@@ -|\+\+\+ |--- [ab/]|[+-](?![\s-]|\d)).*(?:\n|$)/gm, '')

/** Characters to process: a text can have any length, and every pattern is tried at every position. */
const MAX_INPUT = 50_000

/** Shortens a text to `max` characters, without splitting a surrogate pair. */
export const clip = (text: string, max: number): string =>
  text.length <= max
    ? text
    : `${text.slice(0, Math.max(max - 1, 0)).replace(/[\uD800-\uDBFF]$/, '')}…`.slice(0, Math.max(max, 0))

/**
 * Removes secrets and file contents from a text.
 *
 * @param max - length of the result, in characters.
 * @example redact('Done.\n```ts\nconst a = 1\n```', 200) // 'Done.\n[code left out]'
 */
export const redact = (text: string, max: number): string =>
  clip(withoutSecrets(withoutFileContents(text.slice(0, MAX_INPUT))).trim(), max)
