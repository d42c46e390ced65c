// The tokens with which OpenCode servers call the gateway.

import { createHash, randomBytes } from 'node:crypto'

export type ServerGrant<T> = {
  readonly serverId: string
  readonly value: T
}

/** Holds hashes only, so that no token can be read from this process's memory. */
export class ServerTokens<T> {
  readonly #grants = new Map<string, ServerGrant<T>>()

  /**
   * @param token - default: a random one.
   * @returns a token that is valid until it is revoked.
   */
  issue(grant: ServerGrant<T>, token: string = `swgw_${randomBytes(24).toString('base64url')}`): string {
    this.#grants.set(digest(token), grant)
    return token
  }

  revoke(token: string): void {
    this.#grants.delete(digest(token))
  }

  find(token: string): ServerGrant<T> | undefined {
    return this.#grants.get(digest(token))
  }
}

const digest = (token: string): string => createHash('sha256').update(token).digest('base64')
