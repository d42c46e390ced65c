// Maps a task's `permissions` to OpenCode: the rules of its session, and the automatic reply to a permission request.

import type { PermissionRule } from '@opencode-ai/sdk/v2'
import type { Permissions } from '@switchyard/contracts'

type Action = PermissionRule['action']

const rule = (action: Action, permission: string, pattern = '*'): PermissionRule => ({ permission, pattern, action })

const rules = (action: Action, permissions: readonly string[]): readonly PermissionRule[] =>
  permissions.map((permission) => rule(action, permission))

/** Read the repository without changing it. `read` covers MCP resources too. */
const READING = ['read', 'glob', 'grep', 'list', 'lsp', 'skill', 'todowrite', 'todoread']

/** `edit` covers write, patch and apply_patch. `*_*` is every tool of an MCP server: they are named `<server>_<tool>`. */
const ACTING = ['edit', 'bash', 'webfetch', 'websearch', 'codesearch', '*_*']

/** These ask a person at the terminal, which a server does not have. */
const TERMINAL_ONLY = ['plan_enter', 'plan_exit']

/** OpenCode stores tool output here that is too long for the model, which can then read it. */
const OWN_OUTPUT = rule('allow', 'external_directory', '*/opencode/tool-output/*')

const SECRET_FILES = ['*.env', '*.env.*']

/**
 * Returns the rules for a session. The last rule that matches decides, and a session's rules come after its agent's.
 *
 * Measured on OpenCode 1.18, and the reason for their shape:
 * - A subagent's session inherits only the rules that deny, and those on `external_directory`, from the session that
 *   started it, and rules that are added later come too late. Under `ask` a subagent would therefore run commands without
 *   a request. So everything that asks is denied first and then set to ask: the session itself asks, and its subagents
 *   can only read.
 * - `question` waits permanently when nobody answers. When it is denied, the model does not even see it.
 * - `doom_loop` (three equal calls in one step) reads only the agent's rules, and so do `.env` reads of subagents. Such
 *   requests still arrive under `allow` and `deny`; {@link automaticReply} answers them.
 *
 * @param agentRules - `permission` of the agent that will run, from the catalog. What it denies stays denied: the plan agent
 *   does not edit under `allow`, and a caller's `bash: { "git push*": "deny" }` applies under every policy
 */
export const permissionRules = (policy: Permissions, agentRules: readonly PermissionRule[] = []): PermissionRule[] => {
  switch (policy) {
    case 'allow':
      return [
        rule('allow', '*'),
        ...agentRules.map((given) => (given.action === 'ask' ? { ...given, action: 'allow' as const } : given)),
        // Explicit, because subagents inherit this rule.
        ...(agentRules.length > 0 ? [] : [rule('allow', 'external_directory')]),
        ...rules('deny', ['question', ...TERMINAL_ONLY]),
      ]
    case 'ask':
      return [
        ...rules('deny', ACTING),
        rule('ask', '*'),
        ...rules('allow', READING),
        ...SECRET_FILES.map((pattern) => rule('ask', 'read', pattern)),
        rule('allow', 'read', '*.env.example'),
        rule('ask', 'external_directory'),
        OWN_OUTPUT,
        rule('allow', 'question'),
        ...restrictions(agentRules).map((given) =>
          given.action === 'allow' ? { ...given, action: 'ask' as const } : given,
        ),
        ...rules('deny', TERMINAL_ONLY),
      ]
    case 'deny':
      return [
        rule('deny', '*'),
        ...rules('allow', READING),
        ...SECRET_FILES.map((pattern) => rule('deny', 'read', pattern)),
        rule('allow', 'read', '*.env.example'),
        rule('deny', 'external_directory'),
        OWN_OUTPUT,
        ...restrictions(agentRules).filter((given) => given.action === 'deny'),
      ]
  }
}

/** Returns all rules for the permissions that the agent restricts, except for those that the policy decides. */
const restrictions = (agentRules: readonly PermissionRule[]): readonly PermissionRule[] => {
  const decidedByPolicy = new Set(['*', 'question', 'external_directory', ...TERMINAL_ONLY])
  const denied = new Set(agentRules.filter((given) => given.action === 'deny').map((given) => given.permission))
  return agentRules.filter((given) => denied.has(given.permission) && !decidedByPolicy.has(given.permission))
}

export type AutomaticReply = { readonly reply: 'once' } | { readonly reply: 'reject'; readonly message: string }

/**
 * Returns the reply to a permission request that the policy allows without a person, or undefined under `ask`. It is never
 * `always`, which would also apply to every other session of the directory.
 */
export const automaticReply = (policy: Permissions): AutomaticReply | undefined => {
  switch (policy) {
    case 'allow':
      return { reply: 'once' }
    case 'deny':
      // With a message the turn continues; without one it ends, and reports no error.
      return { reply: 'reject', message: 'This task may only read. Continue without it.' }
    case 'ask':
      return undefined
  }
}
