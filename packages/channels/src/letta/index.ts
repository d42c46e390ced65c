// The channel to a Letta server. It is a separate entry point because its client takes 15 MB of memory.

export { LettaBlocks } from './blocks.ts'
export { LettaChannel } from './letta.ts'
