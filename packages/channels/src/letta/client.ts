// Creates the client of a Letta server, and finds out what a 404 means.

import { Letta } from '@letta-ai/letta-client'
import { statusOf } from './failure.ts'

export type LettaOptions = {
  /** The base URL, without `/v1`. */
  readonly url: string
  readonly token: string | undefined
  /** Limit of all calls of one attempt, ms. */
  readonly timeoutMs: number
}

export type LettaCallOptions = { readonly signal: AbortSignal }

/** Creates a client that does not retry. */
export const lettaClient = ({ url, token, timeoutMs }: LettaOptions): Letta =>
  // The outbox retries. Every option is set, because the client reads the missing ones from the environment.
  new Letta({
    baseURL: url.replace(/\/+$/, ''),
    apiKey: token ?? null,
    maxRetries: 0,
    timeout: timeoutMs,
    logLevel: 'off',
  })

const statusOfCall = async (call: PromiseLike<unknown>): Promise<number | null> => {
  try {
    await call
    return 200
  } catch (error) {
    return statusOf(error)
  }
}

/** Returns what a 404 means: the agent does not exist, or the server is not Letta; null for neither. */
export const findMissing = async (
  client: Letta,
  agentId: string,
  options: LettaCallOptions,
): Promise<'agent_not_found' | 'letta_not_there' | null> => {
  if ((await statusOfCall(client.agents.retrieve(agentId, {}, options))) !== 404) return null
  return (await statusOfCall(client.health(options))) === 404 ? 'letta_not_there' : 'agent_not_found'
}
