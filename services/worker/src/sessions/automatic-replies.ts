// Answers requests by the session's own rules: after `always`, and for requests that only consider the agent's rules.
//
// OpenCode reads a session's rules when a turn begins, so a rule added by `always` applies from the next turn. Until then
// requests that it covers still arrive, and are answered here.

import type { PermissionRequest, PermissionRule, Session } from '@opencode-ai/sdk/v2'
import { isSwitchyardError } from '@switchyard/contracts'
import { automaticReply, type OpenCodeClient, type OpenCodeServer, type PermissionReply } from '@switchyard/opencode'
import type { Logger } from 'pino'
import { ownMetadata, policyOf } from './describe.ts'
import { rootOf } from './root.ts'

/** `*` stands for any text and `?` for one character; `ls *` fits `ls` too, as in OpenCode's own patterns. */
const fits = (pattern: string, text: string): boolean => {
  const escaped = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${escaped.replace(/ \.\*$/, '( .*)?')}$`, 's').test(text)
}

const isAllowed = (rules: readonly PermissionRule[], ask: PermissionRequest): boolean => {
  const patterns = ask.patterns.length > 0 ? ask.patterns : ['*']
  return patterns.every(
    (text) =>
      rules.findLast((rule) => fits(rule.permission, ask.permission) && fits(rule.pattern, text))?.action === 'allow',
  )
}

/** Returns the answer of the rules; undefined: a person decides, as for sessions of tasks and of other programs. */
const replyByRules = (
  ask: PermissionRequest,
  asking: Pick<Session, 'permission'>,
  root: Pick<Session, 'metadata'>,
): PermissionReply | undefined => {
  if (ownMetadata(root).permissions === undefined) return undefined
  return automaticReply(policyOf(root)) ?? (isAllowed(asking.permission ?? [], ask) ? { reply: 'once' } : undefined)
}

/** Answers what the rules cover. @returns the requests that a person must answer. */
export const settleByRules = async (
  client: OpenCodeClient,
  asks: readonly PermissionRequest[],
  directory: string,
  root: Session,
  signal: AbortSignal,
): Promise<readonly PermissionRequest[]> => {
  const left: PermissionRequest[] = []
  for (const ask of asks) {
    const asking =
      ask.sessionID === root.id ? root : await client.session({ sessionId: ask.sessionID, directory }, { signal })
    const reply = replyByRules(ask, asking, root)
    if (reply) await answer(client, { requestId: ask.id, directory }, reply, signal)
    else left.push(ask)
  }
  return left
}

/** Another worker may have answered. */
const answer = async (
  client: OpenCodeClient,
  request: { readonly requestId: string; readonly directory: string },
  reply: PermissionReply,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await client.replyPermission(request, reply, { signal })
  } catch (error) {
    if (!isSwitchyardError(error, 'request_not_found')) throw error
  }
}

/** Answers requests by the rules as they arrive; one that is missed is answered at the next read. */
export const startAutomaticReplies = (server: OpenCodeServer, logger: Logger): { readonly stop: () => void } => {
  const stopping = new AbortController()
  const { signal } = stopping
  const settle = async (ask: PermissionRequest, directory: string): Promise<void> => {
    const asking = await server.client.session({ sessionId: ask.sessionID, directory }, { signal })
    const root = await rootOf(server.client, asking, signal)
    await settleByRules(server.client, [ask], directory, root, signal)
  }
  const off = server.onSessionEvent((sessionId, event, directory) => {
    if (event.type !== 'permission.asked' || directory === undefined) return
    settle(event.properties, directory).catch((error: Error) => {
      if (!signal.aborted)
        logger.info({ session_id: sessionId, err: error.message }, 'failed to check a request against the rules')
    })
  })
  return {
    stop: () => {
      off()
      stopping.abort()
    },
  }
}
