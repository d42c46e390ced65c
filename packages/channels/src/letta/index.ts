// What calls a Letta server, apart from the rest: its client takes 15 MB, and is loaded where there is one.

export { LettaBlocks } from './blocks.ts'
export { LettaChannel } from './letta.ts'
