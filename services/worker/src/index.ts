// The worker as a part of a process, for the embedded way.

export { childMaker } from './servers/child-maker.ts'
export { containerMaker } from './servers/container-maker.ts'
export { type PoolOptions, ServerPool } from './servers/pool.ts'
export { startWorker, type Worker, type WorkerDeps } from './worker.ts'
