// Tasks in throw-away containers: the engine, the containers, their output, their network.

export type { Turn, Way } from './container-spec.ts'
export { diskUsage } from './disk.ts'
export { connectEngine, type Engine } from './engine.ts'
export type { OutputLine } from './output.ts'
export { type ContainerState, Runner, type RunnerContainer, type RunnerOptions } from './runner.ts'
