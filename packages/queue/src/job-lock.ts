// How long a job belongs to a worker that says nothing.

/** With these a dead worker's job is offered to another within 6.5 s: the lock runs out, the next check finds it. ms */
export const LOCK = { lockDuration: 5_000, lockRenewTime: 1_500, stalledInterval: 1_500 } as const
