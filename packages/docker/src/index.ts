// Tasks in throw-away containers: the engine, the containers, their output, their network.

export { createBody, type RunnerSettings, rootMark, SUBAGENTS, type Turn, type Way } from './container-spec.ts'
export { diskUsage } from './disk.ts'
export { connectEngine, type Engine } from './engine.ts'
export { publicAddresses } from './host-addresses.ts'
export { createHolderBody, HOLDER_NAME, joined, joinedBy, joining } from './namespaces.ts'
export { withConfigFile } from './opencode-config.ts'
export type { OutputLine } from './output.ts'
export { type ContainerState, Runner, type RunnerContainer, type RunnerOptions } from './runner.ts'
export {
  createServerBody,
  type ProjectServer,
  SERVER_NAME,
  type ServerContainerSettings,
  serverAskedFor,
  serverName,
} from './server-spec.ts'
export { type ServerContainer, ServerContainers } from './servers.ts'
export { containerUser, IMAGE_UID } from './user.ts'
