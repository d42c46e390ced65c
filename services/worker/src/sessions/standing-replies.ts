// Answers to asks that the session's own rules give: after `always`, and for asks that look at the agent's rules alone.
//
// OpenCode reads a session's rules when its turn begins: a rule that is added later, by `always`, would hold from the next
// turn on. Until then asks that it covers still come, and are answered here.

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

/** What the rules say; undefined: a person decides. Sessions of tasks and of other programs are not ours to answer for. */
const replyByRules = (
  ask: PermissionRequest,
  asking: Pick<Session, 'permission'>,
  root: Pick<Session, 'metadata'>,
): PermissionReply | undefined => {
  if (ownMetadata(root).permissions === undefined) return undefined
  return automaticReply(policyOf(root)) ?? (isAllowed(asking.permission ?? [], ask) ? { reply: 'once' } : undefined)
}

/** @returns the asks that a person has to answer; the others are answered. */
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

/** Answers what the rules allow as soon as it is asked; what is missed here is answered by whoever looks next. */
export const startStandingReplies = (server: OpenCodeServer, logger: Logger): { readonly stop: () => void } => {
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
      if (!signal.aborted) logger.info({ session_id: sessionId, err: error.message }, 'an ask was not looked at')
    })
  })
  return {
    stop: () => {
      off()
      stopping.abort()
    },
  }
}
