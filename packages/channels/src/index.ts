// The ways out of Switchyard: each takes one notice to one target, and says what came of it.

export { BLOCK_EVENTS, blockValue } from './letta/block-value.ts'
export { type LettaBlock, LettaBlocks } from './letta/blocks.ts'
export { LettaChannel, type LettaMessage } from './letta/letta.ts'
export { messageText, openRequestOf } from './letta/message.ts'
export { type Failed, failed, type Outcome, type Skipped, type Waiting, waiting } from './outcome.ts'
export { type WebhookCall, WebhookChannel, type WebhookOptions } from './webhook.ts'
