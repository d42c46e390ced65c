// OpenCode's messages and session states as the events and the result of a task, in a person's words.

export { maskSecrets } from './mask-secrets.ts'
export { Narrator } from './narrator.ts'
export { type NarrationContext, narratePart } from './part.ts'
export { narrateStatus } from './status.ts'
export { type OpenCodeFailure, toTaskError } from './task-error.ts'
export { MAX_MESSAGE, oneLine } from './text.ts'
export { summariseTurn, type TurnEnd, type TurnSummary } from './turn-summary.ts'
