// OpenCode's messages and session states as the events and the result of a task, in a person's words.

export { errorOf, type OpenCodeFailure } from './narration/failure.ts'
export { Narrator } from './narration/narrator.ts'
export { type NarrationContext, narratePart } from './narration/part.ts'
export { maskSecrets } from './narration/secrets.ts'
export { narrateStatus } from './narration/status.ts'
export { summariseTurn, type TurnEnd, type TurnSummary } from './narration/summary.ts'
export { MAX_MESSAGE, oneLine } from './narration/words.ts'
