// Matrix, apart from the other channels: its library is loaded only where it is configured.

export { answerIn, type SaidBack } from './answers.ts'
export { MatrixChannel, type Thread, type ThreadStore } from './channel.ts'
export { failureOf } from './failure.ts'
export { type Heard, hear, PAGE_QUERY, readPage, readSync, SYNC_FILTER, type Sync } from './heard.ts'
export { Homeserver, type HomeserverOptions } from './homeserver.ts'
export { type Answer, answerByReaction, answerInWords, type Command, commandOf } from './meaning.ts'
export type { MatrixNotice } from './notice.ts'
export { within } from './pace.ts'
export { block, bold, clip, code, join, lines, text, type Wording } from './wording.ts'
