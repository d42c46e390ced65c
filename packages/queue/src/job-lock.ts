// The timing of BullMQ's job locks, for every worker.

/** ms. A dead worker's job reaches another worker within 6.5 s: its lock expires, and the next stalled check finds it. */
export const JOB_LOCK = { lockDuration: 5_000, lockRenewTime: 1_500, stalledInterval: 1_500 } as const
