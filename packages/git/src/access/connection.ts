// What git needs to reach a repository, and what of the caller's environment it gets for that.

import type { RepositoryIdentity } from '../identity/identity.ts'

export type Connection = {
  /** The address, without credentials: ssh where a deploy key is to be used, whatever the project was given as. */
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  /** Settings of git (`name=value`). */
  readonly config: readonly string[]
}

/** How a repository is reached. Asked before every fetch and push, since keys and tokens change. */
export type Connect = (identity: RepositoryIdentity) => Promise<Connection>

const NETWORK = [
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

/** What git and ssh need to reach the network as the caller does. */
export const networkEnvironment = (given: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(given).filter(([name]) => NETWORK.includes(name)))
