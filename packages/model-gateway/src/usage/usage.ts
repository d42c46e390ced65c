// What one call of a model used.

import type { TokenCounts } from './token-counts.ts'

export type ModelCall = {
  /** The server whose token the call had. */
  readonly serverId: string
  /** The session that OpenCode names; null where the request names none. The agent can forge it within its server. */
  readonly sessionId: string | null
  readonly parentSessionId: string | null
  readonly provider: string
  readonly model: string | null
  /** HTTP status; 0 if the provider did not answer. */
  readonly status: number
  readonly tokens: TokenCounts
}

const SESSION = /^ses_[0-9A-Za-z]{1,80}$/

/** Returns the session of a request: OpenCode's own provider has a header of its own. */
export const sessionOf = (headers: Headers): Pick<ModelCall, 'sessionId' | 'parentSessionId'> => ({
  sessionId: sessionId(headers.get('x-session-affinity') ?? headers.get('x-opencode-session')),
  parentSessionId: sessionId(headers.get('x-parent-session-id')),
})

const sessionId = (value: string | null): string | null => (value !== null && SESSION.test(value) ? value : null)
