// Describes OpenCode's messages and session states as the events and the result of a task.

export { maskSecrets } from './mask-secrets.ts'
export { narratePart } from './narrate-part.ts'
export { narrateStatus } from './narrate-status.ts'
export { Narrator } from './narrator.ts'
export { type OpenCodeFailure, toTaskError } from './task-error.ts'
export { oneLine } from './text.ts'
export { summariseTurn, type TurnEnd, type TurnSummary } from './turn-summary.ts'
