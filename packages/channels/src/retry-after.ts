// The Retry-After header: seconds, or a date (RFC 9110, section 10.2.3).

/** A target may not put us off for longer than this, ms. */
const MOST_MS = 24 * 3_600_000

/** @param now - ms since the epoch. @returns how long to wait, ms; null where the header says nothing that can be read. */
export const retryAfterMs = (header: string | undefined, now: number): number | null => {
  const text = header?.trim() ?? ''
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isNaN(waitMs) ? null : Math.min(Math.max(waitMs, 0), MOST_MS)
}
