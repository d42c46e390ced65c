// What a task's `permissions` mean to OpenCode: the rules of its session, and the answer to an ask that comes anyway.

import type { PermissionRule } from '@opencode-ai/sdk/v2'
import type { Permissions } from '@switchyard/contracts'

type Action = PermissionRule['action']

const rule = (action: Action, permission: string, pattern = '*'): PermissionRule => ({ permission, pattern, action })

const rules = (action: Action, permissions: readonly string[]): readonly PermissionRule[] =>
  permissions.map((permission) => rule(action, permission))

/** Look at the repository and change nothing. `read` covers MCP resources too. */
const READING = ['read', 'glob', 'grep', 'list', 'lsp', 'skill', 'todowrite', 'todoread']

/** `edit` covers write, patch and apply_patch. `*_*` is every tool of an MCP server: they are named `<server>_<tool>`. */
const ACTING = ['edit', 'bash', 'webfetch', 'websearch', 'codesearch', '*_*']

/** They put a question to the person at the terminal, and there is none. */
const TERMINAL_ONLY = ['plan_enter', 'plan_exit']

/** Where OpenCode puts tool output that was too long for the model, to be read from there. */
const OWN_OUTPUT = rule('allow', 'external_directory', '*/opencode/tool-output/*')

const SECRET_FILES = ['*.env', '*.env.*']

/**
 * The rules for a session. The last rule that fits decides, and a session's come after its agent's.
 *
 * What was measured on 1.18 and shapes them:
 * - A subagent's session inherits only the rules that deny, and those on `external_directory`, of the session that started
 *   it; it cannot be given more in time. So under `ask` a subagent would run commands unasked. Here each thing that asks
 *   is denied first and then set to ask: the session itself asks, and its subagents may only read.
 * - `question` waits for ever where nobody answers. Denied, it is not even offered to the model.
 * - `doom_loop` (three equal calls in one step) looks at the agent's rules only, and `.env` reads of subagents at theirs.
 *   Under `allow` and `deny` such asks still come; {@link automaticReply} says how to answer them at once.
 *
 * @param agentRules - `permission` of the agent that will run (from the catalog). What it denies stays denied: the plan agent
 *   does not edit under `allow`, and a caller's `bash: { "git push*": "deny" }` holds under every policy.
 */
export const permissionRules = (policy: Permissions, agentRules: readonly PermissionRule[] = []): PermissionRule[] => {
  switch (policy) {
    case 'allow':
      return [
        rule('allow', '*'),
        ...agentRules.map((given) => (given.action === 'ask' ? { ...given, action: 'allow' as const } : given)),
        // Explicit, because a subagent inherits this one.
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

/** All rules on a permission of which the agent denies something, except those that are ours to decide. */
const restrictions = (agentRules: readonly PermissionRule[]): readonly PermissionRule[] => {
  const ours = new Set(['*', 'question', 'external_directory', ...TERMINAL_ONLY])
  const denied = new Set(agentRules.filter((given) => given.action === 'deny').map((given) => given.permission))
  return agentRules.filter((given) => denied.has(given.permission) && !ours.has(given.permission))
}

export type AutomaticReply = { readonly reply: 'once' } | { readonly reply: 'reject'; readonly message: string }

/**
 * How to answer a permission ask without asking anyone: what the policy says by itself. Under `ask` a person decides.
 * Never `always`: that would hold for every other session of the directory too.
 */
export const automaticReply = (policy: Permissions): AutomaticReply | undefined => {
  switch (policy) {
    case 'allow':
      return { reply: 'once' }
    case 'deny':
      // With a message the turn goes on; without one it would end, and without an error.
      return { reply: 'reject', message: 'This task may only read. Go on without it.' }
    case 'ask':
      return undefined
  }
}
