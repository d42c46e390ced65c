// What a person or a program can do to a task while it runs: control it, send it messages, answer its requests. Callers check
// access to the task first.

export { controlTask } from './control.ts'
export { sendTaskMessage } from './message.ts'
export { answerRequest } from './reply.ts'
export type { Actor, SteeringDeps, Wait } from './types.ts'
