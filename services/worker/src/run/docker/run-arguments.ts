// The arguments of `opencode run` for a task, and the permissions of its sessions.

import type { PermissionRule } from '@opencode-ai/sdk/v2'
import type { Permissions } from '@switchyard/contracts'
import { permissionRules } from '@switchyard/opencode'
import type { TaskRow } from '@switchyard/records'

/**
 * Each option is one word with its value: a value that starts with a dash would otherwise be read
 * as an option.
 */
export const runArguments = (row: TaskRow, model: string | null, sessionId: string | null): readonly string[] => [
  ...(model === null ? [] : [`--model=${model}`]),
  ...(row.agent === null ? [] : [`--agent=${row.agent}`]),
  ...(row.variant === null ? [] : [`--variant=${row.variant}`]),
  ...(sessionId === null ? [`--title=${row.id}`] : [`--session=${sessionId}`]),
  // Allows what is not denied, as the worker does for a task on a server.
  ...(row.permissions === 'allow' ? ['--auto'] : []),
]

type Rules = Record<string, Record<string, PermissionRule['action']>>

/**
 * Returns rules in the form of OpenCode's configuration. The last rule that matches decides there,
 * too.
 */
const toConfiguration = (rules: readonly PermissionRule[]): Rules => {
  const configuration: Rules = {}
  for (const { permission, pattern, action } of rules) {
    const patterns = configuration[permission] ?? {}
    // An existing key would keep its position; it must come last.
    delete patterns[pattern]
    configuration[permission] = { ...patterns, [pattern]: action }
  }
  return configuration
}

/**
 * Returns the environment that carries a task's permissions. Under `deny` the rules are those of a
 * task on a server; under `allow` OpenCode's own apply, and `--auto` allows what they would ask.
 * Under `ask` nobody can answer: OpenCode rejects what it would ask, and the turn ends there.
 */
export const permissionEnvironment = (policy: Permissions): Readonly<Record<string, string>> =>
  policy === 'allow' ? {} : { OPENCODE_PERMISSION: JSON.stringify(toConfiguration(permissionRules(policy))) }
