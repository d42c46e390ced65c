// How the worker reaches a repository: with its deploy key, with a token for its host, or as its user does.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { RepositoryIdentity } from '../identity/identity.ts'
import { type Connection, networkEnvironment } from './connection.ts'
import type { DeployKeys } from './deploy-keys.ts'
import { type HttpsToken, hostOf, httpsCredential } from './https-credential.ts'
import { sshAddress } from './ssh-address.ts'
import { sshCommand } from './ssh-command.ts'

export type RepositoryAccessOptions = {
  readonly keys: DeployKeys
  /** The operator's file of known hosts, beside the one that is shipped: `known_hosts` in SWITCHYARD_HOME. */
  readonly knownHosts: string
  /** Take the key that an unknown ssh host shows the first time; default false: refuse it. */
  readonly trustNewHosts?: boolean
  readonly tokens?: readonly HttpsToken[]
  /** What git and ssh need to reach the network as the caller does: HOME, SSH_AUTH_SOCK, proxies. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Host keys of the large forges. */
const SHIPPED = path.join(import.meta.dirname, 'known_hosts')

export class RepositoryAccess {
  readonly #options: RepositoryAccessOptions
  readonly #network: Readonly<Record<string, string>>

  constructor(options: RepositoryAccessOptions) {
    this.#options = options
    this.#network = networkEnvironment(options.environment ?? {})
  }

  /**
   * A repository that has a deploy key is reached over ssh with that key and nothing else; else one on a host with a
   * token over https with that token; else as the user's own git and ssh do.
   */
  readonly connect = async (identity: RepositoryIdentity): Promise<Connection> =>
    await this.connectWith(identity, await this.#options.keys.identityFiles(identity))

  /** As `connect`, with these private keys instead of all that the repository has. */
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
    // ssh writes a new host into the first of them.
    if (trustNewHosts) await mkdir(path.dirname(knownHosts), { recursive: true })
    const GIT_SSH_COMMAND = sshCommand({ identityFiles, knownHosts: [knownHosts, SHIPPED], trustNewHosts })
    return { url, env: { ...this.#network, GIT_SSH_COMMAND, GIT_SSH_VARIANT: 'ssh' }, config: [] }
  }

  /** Whether a token of its host is used for it, and hence no key. */
  hasToken(identity: RepositoryIdentity): boolean {
    return this.#tokenFor(identity) !== undefined
  }

  #tokenFor({ kind, fetchUrl }: RepositoryIdentity): HttpsToken | undefined {
    if (kind !== 'https') return undefined
    const host = hostOf(fetchUrl)
    return this.#options.tokens?.find((token) => token.host === host)
  }
}
