// The plugin that OpenCode loads: puts every command into the sandbox of its working directory, and holds OpenCode's own file
// tools to that directory. OpenCode calls it once per working directory.

import path from 'node:path'
import { blockImports } from './block-imports.ts'
import { checkToolPaths } from './file-tools.ts'
import { readInstructions } from './instructions.ts'
import { resolveLinks } from './paths.ts'
import { repositoryPlugins } from './repository-plugins.ts'
import { readSettings } from './settings.ts'
import { type TaskSandbox, taskSandbox } from './task-sandbox.ts'

type ToolCall = { readonly tool: string }

/** The part of OpenCode's plugin interface that is used here. */
export type Hooks = {
  'shell.env': (input: { readonly cwd: string }, output: { env: Record<string, string> }) => Promise<void>
  'tool.execute.before': (input: ToolCall, output: { args: Record<string, unknown> }) => Promise<void>
  'tool.execute.after': (input: ToolCall, output: { metadata?: { readonly outputPath?: unknown } }) => Promise<void>
  'experimental.chat.system.transform': (input: object, output: { system: string[] }) => Promise<void>
}

type Instance = { readonly directory: string; readonly worktree?: string }

export const toolSandbox = async ({ directory: shown, worktree = shown }: Instance): Promise<Hooks> => {
  const sandbox = prepare(shown)
  const outputs = new Set<string>()
  return {
    'shell.env': async ({ cwd }, output) => {
      // The launcher refuses a command without a sandbox.
      output.env.SWITCHYARD_SANDBOX =
        sandbox instanceof Error ? '' : sandbox.command(path.resolve(shown, cwd)).join('\n')
    },
    'tool.execute.before': async ({ tool }, { args }) => {
      if (sandbox instanceof Error) throw sandbox
      checkToolPaths({ ...sandbox, worktree, outputs }, tool, args)
    },
    'tool.execute.after': async (_call, { metadata }) => {
      if (sandbox instanceof Error) return
      // The tool may have written another configuration.
      blockRepositoryCode(sandbox.directory)
      if (typeof metadata?.outputPath === 'string') outputs.add(resolveLinks(metadata.outputPath))
    },
    'experimental.chat.system.transform': async (_input, { system }) => {
      if (sandbox instanceof Error) return
      const instructions = readInstructions(sandbox.directory)
      if (instructions !== undefined) system.push(instructions)
    },
  }
}

/** Returns the reason instead of throwing it: OpenCode would go on without a plugin that failed. */
const prepare = (directory: string): TaskSandbox | Error => {
  try {
    const settings = readSettings(process.env)
    const sandbox = taskSandbox(settings, directory)
    if (sandbox) blockRepositoryCode(sandbox.directory, [settings.workspaces, settings.state])
    return sandbox ?? new Error(`${directory} is not the directory of a task`)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

const blockRepositoryCode = (directory: string, more: readonly string[] = []): void => {
  const { OPENCODE_DISABLE_PROJECT_CONFIG: isDisabled, XDG_CACHE_HOME: cache, HOME = '/' } = process.env
  // A project that the operator trusts has a server of its own, which loads its code.
  if (isDisabled !== '1' && isDisabled !== 'true') return
  const packages = path.join(cache ?? path.join(HOME, '.cache'), 'opencode/packages')
  blockImports([directory, ...more, ...repositoryPlugins(directory, packages)])
}
