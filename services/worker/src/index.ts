// The worker as a part of a process, for the embedded way.

export { childMaker } from './servers/child-server-factory.ts'
export { containerMaker } from './servers/container-server-factory.ts'
export { type PoolOptions, ServerPool } from './servers/server-pool.ts'
export { startWorker, type Worker, type WorkerDeps } from './worker.ts'
