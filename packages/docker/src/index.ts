// Tasks in throw-away containers: the engine, the containers, their output, their network.

export {
  createBody,
  type RunnerNetwork,
  type RunnerSettings,
  rootIdVariable,
  SUBAGENTS,
  type Turn,
} from './container-spec.ts'
export { diskUsage } from './disk.ts'
export { connectEngine, type Engine } from './engine.ts'
export { publicAddresses } from './host-addresses.ts'
export { createHolderBody, HOLDER_NAME, joinedHolder, joinedHolders, joinHolder } from './namespaces.ts'
export { withConfigFile } from './opencode-config.ts'
export type { OutputLine } from './output.ts'
export { type ContainerState, Runner, type RunnerContainer, type RunnerOptions } from './runner.ts'
export {
  createServerBody,
  type ProjectServer,
  requestedServer,
  SERVER_NAME,
  type ServerContainerSettings,
  serverName,
} from './server-spec.ts'
export { type ServerContainer, ServerContainers } from './servers.ts'
export { containerUser, IMAGE_UID } from './user.ts'
