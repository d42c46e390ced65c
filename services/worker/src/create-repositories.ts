// Creates what this worker reaches git repositories with: deploy keys, access to remotes, clones.

import type { Config } from '@switchyard/config'
import { DeployKeys, Repositories, RepositoryAccess } from '@switchyard/git'
import type { Records } from '@switchyard/records'
import type { Layout } from '@switchyard/workspace'

export type GitTools = {
  readonly keys: DeployKeys
  readonly access: RepositoryAccess
  readonly repositories: Repositories
}

export const createRepositories = (
  config: Pick<Config, 'git' | 'opencode'>,
  records: Records,
  layout: Layout,
): GitTools => {
  const lock = <T>(key: string, work: () => Promise<T>) => records.withLock(`repository:${key}`, work)
  const keys = new DeployKeys({ directory: layout.keys, lock })
  const access = new RepositoryAccess({
    keys,
    knownHosts: layout.knownHosts,
    trustNewHosts: config.git.trustNewHosts,
    tokens: config.git.httpsTokens,
    environment: {
      ...config.opencode.inherited,
      ...(config.git.caFile === undefined ? {} : { GIT_SSL_CAINFO: config.git.caFile }),
    },
  })
  const repositories = new Repositories({
    mirrorsDir: layout.mirrors,
    sharedDir: layout.sharedClones,
    objectStoresDir: layout.objectStores,
    workspacesDir: layout.workspaces,
    lock,
    connect: access.connect,
  })
  return { keys, access, repositories }
}
