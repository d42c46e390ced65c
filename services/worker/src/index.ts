// The worker as a part of a process, for the embedded way.

export { childMaker } from './servers/child-maker.ts'
export { startWorker, type Worker, type WorkerDeps } from './worker.ts'
