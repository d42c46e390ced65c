// The walls around every container that we make, and what OpenCode is told in each.

import type Docker from 'dockerode'

/** Limits that are the same for all containers of one kind. */
export type Limits = { readonly cpus: number; readonly memoryBytes: number; readonly pids: number }

/** What differs from kind to kind: where it is, what it sees of the host, how much it may print and keep in /tmp. */
export type Inside = {
  readonly network: string
  readonly mounts: NonNullable<Docker.HostConfig['Mounts']>
  readonly log: { readonly 'max-size': string; readonly 'max-file': string }
  readonly tmpBytes: number
}

export const hardenedHostConfig = (limits: Limits, inside: Inside): Docker.HostConfig => ({
  // Ends what its tools leave behind, and passes a stop on.
  Init: true,
  ReadonlyRootfs: true,
  CapDrop: ['ALL'],
  SecurityOpt: ['no-new-privileges:true'],
  NanoCpus: Math.round(limits.cpus * 1e9),
  Memory: limits.memoryBytes,
  // Equal: no swap beside it.
  MemorySwap: limits.memoryBytes,
  PidsLimit: limits.pids,
  IpcMode: 'private',
  NetworkMode: inside.network,
  RestartPolicy: { Name: 'no' },
  LogConfig: { Type: 'json-file', Config: { ...inside.log } },
  Ulimits: [{ Name: 'core', Soft: 0, Hard: 0 }],
  Mounts: inside.mounts,
  // OpenCode unpacks native libraries there, and agents run what they build there.
  Tmpfs: { '/tmp': `exec,nosuid,nodev,mode=1777,size=${inside.tmpBytes}` },
})

/** It fetches nothing of itself and shares nothing. */
export const QUIET_OPENCODE: Readonly<Record<string, string>> = {
  OPENCODE_DISABLE_AUTOUPDATE: '1',
  OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
  OPENCODE_DISABLE_SHARE: '1',
}

export const toEnv = (variables: Readonly<Record<string, string>>): string[] =>
  Object.entries(variables).map(([name, value]) => `${name}=${value}`)
