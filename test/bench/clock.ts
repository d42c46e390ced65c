// A clock that all processes of a measurement share.

/** Returns ms since the epoch, with fractions. */
export const now = (): number => performance.timeOrigin + performance.now()
