// Masks likely secrets before a text is stored: agents read files and print environments.

const MASK = '***'

// Quantifiers are bounded so that no output makes a pattern slow.
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bglpat-[A-Za-z0-9_-]{16,}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /\bAIza[0-9A-Za-z_-]{35}/g,
  /\bnpm_[A-Za-z0-9]{30,}/g,
  /\bhf_[A-Za-z0-9]{30,}/g,
  /\bsyt_[A-Za-z0-9_=]{10,}/g,
  /\bwhsec_[A-Za-z0-9+/=]{10,}/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g,
]

// The name stays readable; only the value is masked.
const NAMED_SECRETS: readonly RegExp[] = [
  /(\b(?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?(?:(?:bearer|basic|token|digest)\s{1,4})?)[^\s"',;]{4,}/gi,
  /(\bbearer\s{1,4})[A-Za-z0-9._~+/=-]{16,}/gi,
  /(\b(?:x-api-key|private-token|x-auth-token)["']?\s{0,4}[:=]\s{0,4}["']?)[^\s"',;]{4,}/gi,
  /(\b[A-Z0-9_]{0,64}(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|ACCESS_KEY)[A-Z0-9_]{0,32}=)(?:"[^"]+"|'[^']+'|[^\s"']+)/g,
  /(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@:]{0,200}:[^\s/@]{1,500}(?=@)/gi,
]

const SECRET_FIELD =
  /^(?:(?:proxy-)?authorization|password|passwd|secret|client_?secret|token|(?:access|auth|refresh|id)_?token|(?:x-)?api[-_]?key|private[-_]?key)$/i

/** Replaces keys, tokens and passwords with `***`. */
export const maskSecrets = (text: string): string => {
  const whole = SECRETS.reduce((masked, pattern) => masked.replace(pattern, MASK), text)
  return NAMED_SECRETS.reduce((masked, pattern) => masked.replace(pattern, `$1${MASK}`), whole)
}

/** Returns whether a field of this name contains a secret, whatever its value. */
export const isSecretField = (name: string): boolean => SECRET_FIELD.test(name)

export { MASK }
