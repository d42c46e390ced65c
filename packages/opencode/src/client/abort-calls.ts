// Finds the sessions below a session, and stops all of them.

import type { Session } from '@opencode-ai/sdk/v2'
import { isSwitchyardError } from '@switchyard/contracts'
import type { Call, OpenCodeCallOptions } from './call.ts'
import type { RequestCalls } from './request-calls.ts'
import type { Sdk } from './sdk-client.ts'
import type { SessionRef } from './session-types.ts'

const MAX_ROUNDS = 5

export const abortCalls = (call: Call, sdk: Sdk, requests: RequestCalls) => {
  const directChildren = (
    { sessionId, directory }: SessionRef,
    options: OpenCodeCallOptions,
  ): Promise<readonly Session[]> =>
    call('list child sessions', 'always', options, (signal) =>
      sdk().session.children({ sessionID: sessionId, directory }, { signal }),
    )

  /** Returns all sessions below this one, at any depth, nearest first. */
  const children = async (ref: SessionRef, options: OpenCodeCallOptions = {}): Promise<readonly Session[]> => {
    const found: Session[] = []
    const open = [ref]
    for (let next = open.shift(); next; next = open.shift()) {
      for (const child of await directChildren(next, options)) {
        if (found.some((known) => known.id === child.id)) continue
        found.push(child)
        open.push({ sessionId: child.id, directory: child.directory })
      }
    }
    return found
  }

  const abort = async ({ sessionId, directory }: SessionRef, options: OpenCodeCallOptions): Promise<void> => {
    await call('abort the session', 'always', options, (signal) =>
      sdk().session.abort({ sessionID: sessionId, directory }, { signal }),
    )
  }

  const rejectRequests = async (
    directory: string,
    sessions: ReadonlySet<string>,
    options: OpenCodeCallOptions,
  ): Promise<void> => {
    const [permissions, questions] = await Promise.all([
      requests.pendingPermissions(directory, options),
      requests.pendingQuestions(directory, options),
    ])
    const isAborted = ({ sessionID }: { readonly sessionID: string }) => sessions.has(sessionID)
    const replies = [
      ...permissions
        .filter(isAborted)
        .map(({ id }) => requests.replyPermission({ requestId: id, directory }, { reply: 'reject' }, options)),
      ...questions.filter(isAborted).map(({ id }) => requests.rejectQuestion({ requestId: id, directory }, options)),
    ]
    for (const result of await Promise.allSettled(replies)) {
      // A person may have answered in the meantime; that's fine.
      if (result.status === 'rejected' && !isSwitchyardError(result.reason, 'request_not_found')) throw result.reason
    }
  }

  return {
    children,

    /**
     * Stops a session and everything below it, and rejects their pending requests. Aborting only the parent would leave
     * background children running, and requests survive an abort.
     *
     * @returns the ids of the aborted sessions
     */
    abortTree: async (ref: SessionRef, options: OpenCodeCallOptions = {}): Promise<readonly string[]> => {
      const aborted = new Set<string>()
      // A child may appear between the listing and the abort. Its parent is aborted then and creates no further ones.
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const tree = [ref, ...(await children(ref, options)).map(({ id, directory }) => ({ sessionId: id, directory }))]
        const fresh = tree.filter(({ sessionId }) => !aborted.has(sessionId))
        if (fresh.length === 0) break
        await Promise.all(fresh.map((session) => abort(session, options)))
        for (const { sessionId } of fresh) aborted.add(sessionId)
      }
      await rejectRequests(ref.directory, aborted, options)
      return [...aborted]
    },
  }
}
