// Words of an agent made fit for another place: without secrets, without what files hold, and no longer than they may be.

const LEFT_OUT = '[removed]'

/** Credentials by their form; each of them stands for itself, wherever it is. */
const CREDENTIALS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}/g,
  /\bxox[a-z]-[A-Za-z0-9-]{10,}|\bsyt_[A-Za-z0-9_]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}|\bnpm_[A-Za-z0-9]{20,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}/g,
  /\beyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]*/g,
]

/** Credentials by what stands before them; that much stays. */
const NAMED: readonly RegExp[] = [
  /(\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}/gi,
  /(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@]+@/gi,
  /((?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)["']?\s*[=:]\s*["']?)[^\s"',;]{4,}/gi,
]

const withoutSecrets = (text: string): string => {
  const named = NAMED.reduce((rest, form) => {
    const keep = form.source.includes('@') ? `$1${LEFT_OUT}@` : `$1${LEFT_OUT}`
    return rest.replaceAll(form, keep)
  }, text)
  return CREDENTIALS.reduce((rest, form) => rest.replaceAll(form, LEFT_OUT), named)
}

/** Blocks of code, and lines of a diff outside of them, are what files hold. */
const withoutFiles = (text: string): string =>
  text
    .replaceAll(/^[ \t]*(```|~~~)[\s\S]*?(?:^[ \t]*\1[ \t]*$|$(?![\s\S]))/gm, '[code left out]')
    .replaceAll(/^(?:diff --git |@@ -|\+\+\+ |--- [ab/]|[+-](?![\s-]|\d)).*(?:\n|$)/gm, '')

/** No more than this is read, characters: an agent's words are as long as it likes, and the forms above are tried everywhere. */
const MOST_READ = 50_000

/** Cut where it is longer, between two characters. */
export const clip = (text: string, most: number): string =>
  text.length <= most
    ? text
    : `${text.slice(0, Math.max(most - 1, 0)).replace(/[\uD800-\uDBFF]$/, '')}…`.slice(0, Math.max(most, 0))

/**
 * @param most - characters.
 * @example plainWords('Done.\n```ts\nconst a = 1\n```', 200) // 'Done.\n[code left out]'
 */
export const plainWords = (text: string, most: number): string =>
  clip(withoutSecrets(withoutFiles(text.slice(0, MOST_READ))).trim(), most)
