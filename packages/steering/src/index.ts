// What a person or a program can do to a task from outside of its run. Whoever asks has been shown that the task may be theirs.

export { controlTask } from './control.ts'
export type { Speaker, SteeringDeps, Wait } from './deps.ts'
export { sendTaskMessage } from './messages.ts'
export { answerRequest } from './reply.ts'
