// The client of one OpenCode server: all calls that Switchyard makes, grouped by what they are about.

import type { OpencodeClient } from '@opencode-ai/sdk/v2'
import type { Endpoint } from '../connection/endpoint.ts'
import { abortCalls } from './abort-calls.ts'
import { type CallPolicy, createCaller } from './call.ts'
import { directoryCalls } from './directory-calls.ts'
import { messageCalls } from './message-calls.ts'
import { requestCalls } from './request-calls.ts'
import { createSdk, requireEndpoint, sdkClient } from './sdk-client.ts'
import { sessionCalls } from './session-calls.ts'
import { sessionLists } from './session-lists.ts'
import { syncCalls } from './sync-calls.ts'

export type ClientOptions = CallPolicy & {
  /** Returns the server's current address: a restart may change it. Undefined while no server is running. */
  readonly endpoint: () => Endpoint | undefined
}

export type OpenCodeClient = ReturnType<typeof createClient>

/**
 * All calls throw SwitchyardError: `opencode_unavailable` (no answer; retryable), `opencode_error` (the server refused the
 * call), `session_lost` (the session does not exist); or the signal's reason when it fires.
 *
 * The blocking `POST /session/{id}/message` is missing on purpose: it answers when the turn ends, and `fetch` times out
 * after 300 s.
 */
export const createClient = (options: ClientOptions) => {
  const call = createCaller(options)
  const sdk = createSdk(options.endpoint)
  const requests = requestCalls(call, sdk)
  return {
    ...sessionCalls(call, sdk),
    ...sessionLists(call, sdk),
    ...messageCalls(call, sdk),
    ...requests,
    ...abortCalls(call, sdk, requests),
    ...directoryCalls(call, sdk),
    ...syncCalls(call, sdk),

    /** Returns the SDK's client for one directory, for calls that this client does not have. It throws the SDK's errors. */
    clientFor: (directory: string): OpencodeClient => sdkClient(requireEndpoint(options.endpoint()), directory),
  }
}
