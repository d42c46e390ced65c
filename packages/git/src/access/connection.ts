// What git needs to reach a repository.

import type { RepositoryIdentity } from '../identity/identity.ts'

export type Connection = {
  /** The address, without credentials. An ssh address when a deploy key is used, even for an https project. */
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  /** Settings of git, as `name=value`. */
  readonly config: readonly string[]
}

/** Returns how to reach a repository. Called before every fetch and push, because keys and tokens change. */
export type Connect = (identity: RepositoryIdentity) => Promise<Connection>

const NETWORK_VARIABLES = [
  'HOME',
  'SSH_AUTH_SOCK',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'https_proxy',
  'http_proxy',
  'no_proxy',
]

/** Returns the variables that git and ssh need to reach the network as the caller does. */
export const networkEnvironment = (given: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(given).filter(([name]) => NETWORK_VARIABLES.includes(name)))
