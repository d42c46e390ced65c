/**
 * How often one task may resume after an interruption before it fails with `attempts_exhausted`.
 */
export const MAX_RECOVERIES = 5
