// Docker mode: one container per task, the containers of project servers, their output and their network.

export type { OutputLine } from './container-output.ts'
export { containerUser, IMAGE_UID } from './container-user.ts'
export { diskUsage } from './disk-usage.ts'
export { connectEngine, type Engine } from './engine.ts'
export { proxyVariables } from './hardened-host-config.ts'
export { createHolderBody, HOLDER_NAME, joinedHolder, joinedHolders, joinHolder } from './network-namespaces.ts'
export { withConfigFile } from './opencode-config.ts'
export { publicAddresses } from './public-addresses.ts'
export { type ContainerState, Runner, type RunnerContainer, type RunnerOptions } from './runner.ts'
export {
  createServerBody,
  type ProjectServer,
  requestedServer,
  SERVER_NAME,
  type ServerContainerSettings,
  serverName,
} from './server-container.ts'
export { type ServerContainer, ServerContainers } from './server-containers.ts'
export {
  createBody,
  type RunnerNetwork,
  type RunnerSettings,
  rootIdVariable,
  SUBAGENTS,
  type Turn,
} from './task-container.ts'
