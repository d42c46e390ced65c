// The worker as a component of another process: `npm start` and tests.

export { childServerFactory } from './servers/child-server-factory.ts'
export { containerServerFactory } from './servers/container-server-factory.ts'
export { ServerPool, type ServerPoolOptions } from './servers/server-pool.ts'
export { startWorker, type Worker, type WorkerDeps } from './worker.ts'
