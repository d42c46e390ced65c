// The one clock that all processes of a measurement share.

/** ms since the epoch, with fractions. */
export const now = (): number => performance.timeOrigin + performance.now()
