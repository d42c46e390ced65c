// What is no secret although it stands where one belongs.

/** What templates and examples have in place of a secret, and what people type to get on. */
const PLACEHOLDERS: readonly RegExp[] = [
  /^change[\s_-]?(?:me|it|this)/i,
  /^(?:my|your|the|a|some)[\s_-]/i,
  /^(?:password|passwd|pass|secret|token|key|admin|root|test|testing|default|example|placeholder|none|null|undefined|todo|postgres|switchyard|opencode)[\d!_-]*$/i,
  /^<.*>$/,
  /^\$\{?\w+\}?$/,
  /^(?:1234|qwert|letmein)/i,
]
/** Fewer different characters than these are no secret, however often they are repeated. */
const MIN_DIFFERENT = 5

/** True for what stands in for a secret: `CHANGE_ME_REQUIRED`, `changeme`, `password`, `<token>`, `xxxxxxxx`, nothing. */
export const isPlaceholder = (value: string): boolean => {
  const text = value.trim()
  return new Set(text).size < MIN_DIFFERENT || PLACEHOLDERS.some((pattern) => pattern.test(text))
}
