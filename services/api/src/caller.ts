// Who calls, and the Hono environment that carries it through a request.

import type { HttpBindings } from '@hono/node-server'

export type Caller = {
  /** The key's name; `local` where the installation has no keys. It owns the tasks it makes. */
  readonly name: string
  readonly role: 'operator' | 'agent'
  /** The X-Agent-Id header, where it was sent. */
  readonly agentId: string | undefined
}

/** The caller of an installation without keys: whoever reaches loopback is its operator. */
export const LOCAL = 'local'

export type ApiEnv = {
  /** Absent where the app is called without a socket, as tests do. */
  Bindings: Partial<HttpBindings>
  Variables: {
    requestId: string
    /** Undefined on the open routes, where no or a wrong key was sent. */
    caller: Caller | undefined
  }
}
