// The ways out of Switchyard: each takes one notice to one target, and says what came of it.

export { type Failed, failed, type Outcome } from './outcome.ts'
export { type WebhookCall, WebhookChannel, type WebhookOptions } from './webhook.ts'
