// Prints the variables with which an OpenCode server runs its tools in sandboxes, as commands of a shell. For the image of the
// stack, which has this package alone: `eval "$(node main.ts)" && exec opencode serve`.

import path from 'node:path'
import { prepareSandbox } from './prepare-sandbox.ts'

const HIDDEN = ['/run/switchyard', '/etc/switchyard']

const { TOOL_SANDBOX: mode = 'off', ...variables } = process.env
const env = Object.fromEntries(
  Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
)
const { HOME = '/', WORKSPACES_DIR = '/workspaces', OPENCODE_CONFIG_CONTENT: content } = env

const list = (text = ''): readonly string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

const quote = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`

const print = (lines: Readonly<Record<string, string>>): void => {
  for (const [name, value] of Object.entries(lines)) process.stdout.write(`export ${name}=${quote(value)}\n`)
}

const prepared =
  mode === 'off'
    ? ({ isAvailable: false, reason: 'TOOL_SANDBOX is off' } as const)
    : await prepareSandbox({
        workspaces: WORKSPACES_DIR,
        state: path.join(HOME, '.local/state/switchyard/tool-sandboxes'),
        env,
        passVariables: list(env.TOOL_SANDBOX_VARIABLES),
        readOnly: list(env.TOOL_SANDBOX_PATHS),
        hidden: [HOME, ...HIDDEN],
        repositories: ['repos', 'objects'].map((name) => path.join(WORKSPACES_DIR, name)),
      })

if (prepared.isAvailable) {
  const { server } = prepared
  const config: { readonly plugin?: readonly string[] } = content?.trim() ? JSON.parse(content) : {}
  print({
    ...server.env,
    PATH: `${server.bin}:${env.PATH ?? ''}`,
    OPENCODE_CONFIG_CONTENT: JSON.stringify({
      ...config,
      ...server.config,
      plugin: [...(config.plugin ?? []), ...server.config.plugin],
    }),
  })
} else {
  process.stderr.write(`commands of agents run without a sandbox: ${prepared.reason}\n`)
  if (mode === 'required') process.exitCode = 1
}
