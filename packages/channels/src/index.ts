// The channels that notify people and agents. Each one sends a notification to a target and returns the outcome.

export { BLOCK_EVENTS, blockValue } from './letta/block-value.ts'
export type { LettaBlock, LettaBlocks } from './letta/blocks.ts'
export type { LettaChannel, LettaMessage } from './letta/letta.ts'
export { messageText, openRequestOf } from './letta/message.ts'
export { type Failed, failed, type Outcome, type Skipped, type Waiting, waiting } from './outcome.ts'
export { type WebhookCall, WebhookChannel, type WebhookOptions } from './webhook.ts'
