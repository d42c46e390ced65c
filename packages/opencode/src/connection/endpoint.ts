// The address and password of an OpenCode server.

export type Endpoint = { readonly url: string; readonly password: string }

/** Returns the Authorization header: basic auth with OpenCode's default user. */
export const authorization = (endpoint: Endpoint): string =>
  `Basic ${Buffer.from(`opencode:${endpoint.password}`).toString('base64')}`
