// The tokens with which OpenCode servers call the gateway.

import { createHash, randomBytes } from 'node:crypto'

export type ServerGrant<T> = {
  readonly serverId: string
  readonly value: T
}

/** Returns a token with 192 random bits. */
export const newToken = (): string => `swgw_${randomBytes(24).toString('base64url')}`

/** Holds hashes only, so that no token can be read from this process's memory. */
export class ServerTokens<T> {
  readonly #grants = new Map<string, ServerGrant<T>>()

  /** The token is valid until it is revoked. */
  add(token: string, grant: ServerGrant<T>): void {
    this.#grants.set(digest(token), grant)
  }

  revoke(token: string): void {
    this.#grants.delete(digest(token))
  }

  find(token: string): ServerGrant<T> | undefined {
    return this.#grants.get(digest(token))
  }
}

const digest = (token: string): string => createHash('sha256').update(token).digest('base64')
