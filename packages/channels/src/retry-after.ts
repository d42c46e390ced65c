// The Retry-After header: seconds, or a date (RFC 9110, section 10.2.3).

/** Upper limit of a delay that a target asks for, ms. */
const MAX_MS = 24 * 3_600_000

/**
 * Parses the header.
 *
 * @param now - ms since the epoch.
 * @returns the delay, ms, at most a day; null if the header is missing or invalid.
 */
export const retryAfterMs = (header: string | undefined, now: number): number | null => {
  const text = header?.trim() ?? ''
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, 0), MAX_MS)
}
