// Recognizes placeholders of secrets.

/** Placeholders of templates and examples, and what people type to skip a field. */
const PLACEHOLDERS: readonly RegExp[] = [
  /^change[\s_-]?(?:me|it|this)/i,
  /^(?:my|your|the|a|some)[\s_-]/i,
  /^(?:password|passwd|pass|secret|token|key|admin|root|test|testing|default|example|placeholder|none|null|undefined|todo|postgres|switchyard|opencode)[\d!_-]*$/i,
  /^<.*>$/,
  /^\$\{?\w+\}?$/,
  /^(?:1234|qwert|letmein)/i,
]
/** A text with fewer different characters is not a secret, however long it is. */
const MIN_DIFFERENT = 5

/** Returns true for a placeholder: `CHANGE_ME_REQUIRED`, `changeme`, `password`, `<token>`, `xxxxxxxx`, an empty text. */
export const isPlaceholder = (value: string): boolean => {
  const text = value.trim()
  return new Set(text).size < MIN_DIFFERENT || PLACEHOLDERS.some((pattern) => pattern.test(text))
}
