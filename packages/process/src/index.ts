// The life of a process: repeated work, signals, ordered shutdown, and the entry point of every service.

export { type Failure, type Repeating, type RepeatOptions, repeat } from './repeat.ts'
export { type RunContext, runMain } from './run-main.ts'
export { type Lifetime, runUntilStopped } from './run-until-stopped.ts'
export { createShutdown, type Shutdown } from './shutdown.ts'
