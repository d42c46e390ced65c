// The isolation that every container gets, and OpenCode's settings in all of them.

import type Docker from 'dockerode'

/** Limits that are the same for all containers of one kind. */
export type Limits = { readonly cpus: number; readonly memoryBytes: number; readonly pids: number }

/** What differs between the kinds of containers. */
export type ContainerAccess = {
  readonly network: string
  readonly mounts: NonNullable<Docker.HostConfig['Mounts']>
  readonly log: { readonly 'max-size': string; readonly 'max-file': string }
  /** The size of /tmp. */
  readonly tmpBytes: number
}

/** Returns a host configuration without capabilities, swap or a writable root file system. */
export const hardenedHostConfig = (limits: Limits, access: ContainerAccess): Docker.HostConfig => ({
  // Reaps the processes that tools leave behind, and forwards a stop signal.
  Init: true,
  ReadonlyRootfs: true,
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges:true'],
  NanoCpus: Math.round(limits.cpus * 1e9),
  Memory: limits.memoryBytes,
  // Equal to the memory limit, so there is no swap on top of it.
  MemorySwap: limits.memoryBytes,
  PidsLimit: limits.pids,
  IpcMode: 'private',
  NetworkMode: access.network,
  RestartPolicy: { Name: 'no' },
  LogConfig: { Type: 'json-file', Config: { ...access.log } },
  Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
  Mounts: access.mounts,
  // OpenCode unpacks native libraries in /tmp, and agents run what they build there: `exec`.
  Tmpfs: { '/tmp': `exec,nosuid,nodev,mode=1777,size=${access.tmpBytes}` },
})

/** Keeps OpenCode from fetching updates and language servers, and from sharing sessions. */
export const QUIET_OPENCODE: Readonly<Record<string, string>> = {
  OPENCODE_DISABLE_AUTOUPDATE: '1',
  OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  OPENCODE_DISABLE_SHARE: '1',
}

/** Reached without the proxy: the container itself, and the gateway to the models in the stack. */
const NO_PROXY = 'localhost,127.0.0.1,::1,model-gateway'

/** Sends what OpenCode and its tools request through the egress proxy, the only route out of the container's network. */
export const proxyVariables = (proxy: string): Readonly<Record<string, string>> => ({
  HTTP_PROXY: proxy,
  HTTPS_PROXY: proxy,
  NO_PROXY,
  // curl reads HTTP_PROXY in lower case only.
  http_proxy: proxy,
  https_proxy: proxy,
  no_proxy: NO_PROXY,
  // Node reads these variables since version 24, and only with this one.
  NODE_USE_ENV_PROXY: '1',
})

export const toEnv = (variables: Readonly<Record<string, string>>): string[] =>
  Object.entries(variables).map(([name, value]) => `${name}=${value}`)
