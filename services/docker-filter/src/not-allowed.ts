// The refusal of a call.

/** Says why a call is not allowed. The worker receives the message, and the filter logs it. */
export class NotAllowed extends Error {}
