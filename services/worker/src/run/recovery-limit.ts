/**
 * How often one task may resume after an interruption before it fails with `attempts_exhausted`. Deaths of
 * its OpenCode server do not count.
 */
export const MAX_RECOVERIES = 5
