// Decides how the worker reaches a repository: with its deploy key, with a token for its host, or with the
// git and ssh configuration of its user.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { RepositoryIdentity } from '../identity/identity.ts'
import { type Connection, networkEnvironment } from './connection.ts'
import type { DeployKeys } from './deploy-keys.ts'
import { type HttpsToken, httpsCredential, tokenHostOf } from './https-credential.ts'
import { sshAddress } from './ssh-address.ts'
import { sshCommand } from './ssh-command.ts'

export type RepositoryAccessOptions = {
  readonly keys: DeployKeys
  /** The operator's known_hosts file, read in addition to the built-in one: `known_hosts` in SWITCHYARD_HOME. */
  readonly knownHosts: string
  /** Accept the key of an unknown ssh host on first contact; default false: refuse the connection. */
  readonly trustNewHosts?: boolean
  readonly tokens?: readonly HttpsToken[]
  /** The worker's environment. git and ssh get its network variables, such as HOME, SSH_AUTH_SOCK and proxies. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Contains the host keys of the large forges. */
const BUILT_IN_KNOWN_HOSTS = path.join(import.meta.dirname, 'known_hosts')

export class RepositoryAccess {
  readonly #options: RepositoryAccessOptions
  readonly #network: Readonly<Record<string, string>>

  constructor(options: RepositoryAccessOptions) {
    this.#options = options
    this.#network = networkEnvironment(options.environment ?? {})
  }

  /**
   * Returns the connection for a repository: https with the token of its host if there is one, else ssh with
   * its deploy keys if it has some, else whatever git and ssh do for the worker's user.
   */
  readonly connect = async (identity: RepositoryIdentity): Promise<Connection> =>
    await this.connectWith(identity, await this.#options.keys.identityFiles(identity))

  /** Like `connect`, but with the given private keys instead of all keys of the repository. */
  async connectWith(identity: RepositoryIdentity, identityFiles: readonly string[]): Promise<Connection> {
    const plain = { url: identity.fetchUrl, env: this.#network, config: [] }
    if (identity.kind === 'path') return plain
    const token = this.#tokenFor(identity)
    if (token) {
      const { env, config } = httpsCredential(token)
      return { url: identity.fetchUrl, env: { ...this.#network, ...env }, config }
    }
    const url = identityFiles.length > 0 ? sshAddress(identity) : undefined
    if (url === undefined) return plain
    const { knownHosts, trustNewHosts = false } = this.#options
    // ssh writes a new host to this file and does not create its directory.
    if (trustNewHosts) await mkdir(path.dirname(knownHosts), { recursive: true })
    const GIT_SSH_COMMAND = sshCommand({ identityFiles, knownHosts: [knownHosts, BUILT_IN_KNOWN_HOSTS], trustNewHosts })
    return { url, env: { ...this.#network, GIT_SSH_COMMAND, GIT_SSH_VARIANT: 'ssh' }, config: [] }
  }

  /** Returns true when the repository is reached with a token, and deploy keys are not used. */
  hasToken(identity: RepositoryIdentity): boolean {
    return this.#tokenFor(identity) !== undefined
  }

  #tokenFor({ kind, fetchUrl }: RepositoryIdentity): HttpsToken | undefined {
    if (kind !== 'https') return undefined
    const host = tokenHostOf(fetchUrl)
    return this.#options.tokens?.find((token) => token.host === host)
  }
}
