// The client of a Letta server, and the question whether an agent, or the server at all, is there.

import { Letta } from '@letta-ai/letta-client'
import { statusOf } from './failure.ts'

export type LettaOptions = {
  /** The base URL, without `/v1`. */
  readonly url: string
  readonly token: string | undefined
  /** For all calls of one attempt, ms. */
  readonly timeoutMs: number
}

export type CallOptions = { readonly signal: AbortSignal }

export const lettaClient = ({ url, token, timeoutMs }: LettaOptions): Letta =>
  // Retries are the outbox's; the client would take what is unset here from variables of its own.
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

/** What a 404 meant: Letta's, for an agent that it does not have, or that of something that is no Letta. */
export const whatIsMissing = async (
  client: Letta,
  agentId: string,
  options: CallOptions,
): Promise<'agent_not_found' | 'letta_not_there' | null> => {
  if ((await statusOfCall(client.agents.retrieve(agentId, {}, options))) !== 404) return null
  return (await statusOfCall(client.health(options))) === 404 ? 'letta_not_there' : 'agent_not_found'
}
