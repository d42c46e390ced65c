// Typed calls to a worker, for services that reach neither git, nor OpenCode, nor the disk of the workspaces.

export { type AnsweringCalls, startAnsweringCalls } from './answer-calls.ts'
export { type FilePart, TaskWorkspaces } from './task-workspaces.ts'
export { type WorkerCallOptions, WorkerCalls } from './worker-calls.ts'
