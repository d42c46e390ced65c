// What a task asks of `opencode run`: arguments, and the permissions that its sessions have.

import type { PermissionRule } from '@opencode-ai/sdk/v2'
import type { Permissions } from '@switchyard/contracts'
import { permissionRules } from '@switchyard/opencode'
import type { TaskRow } from '@switchyard/records'

/** Each is one word with its value, so that a value that begins with a dash is no option. */
export const runArguments = (row: TaskRow, model: string | null, sessionId: string | null): readonly string[] => [
  ...(model === null ? [] : [`--model=${model}`]),
  ...(row.agent === null ? [] : [`--agent=${row.agent}`]),
  ...(row.variant === null ? [] : [`--variant=${row.variant}`]),
  ...(sessionId === null ? [`--title=${row.id}`] : [`--session=${sessionId}`]),
  // Allows what is not denied, as a server's answer to an ask does.
  ...(row.permissions === 'allow' ? ['--auto'] : []),
]

type Rules = Record<string, Record<string, PermissionRule['action']>>

/** The rules in the form of OpenCode's configuration, in which, too, the last one that fits decides. */
const asConfiguration = (rules: readonly PermissionRule[]): Rules => {
  const found: Rules = {}
  for (const { permission, pattern, action } of rules) {
    const patterns = found[permission] ?? {}
    // Set anew, a key keeps its place: it is to come last.
    delete patterns[pattern]
    found[permission] = { ...patterns, [pattern]: action }
  }
  return found
}

/**
 * Under `deny` the rules are those of server mode. Under `allow` OpenCode's own hold, and what they would ask is allowed.
 * Nobody can be asked here: under `ask` OpenCode refuses what it would ask, and the turn ends there.
 */
export const permissionEnvironment = (policy: Permissions): Readonly<Record<string, string>> =>
  policy === 'allow' ? {} : { OPENCODE_PERMISSION: JSON.stringify(asConfiguration(permissionRules(policy))) }
