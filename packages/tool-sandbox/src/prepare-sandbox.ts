// Prepares an OpenCode server whose tools run in sandboxes: its environment, its configuration, and its PATH.

import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { detectSandbox, findExecutable } from './detect.ts'
import { commandEnvironment, extendEnvironment } from './environment.ts'
import { readSettings, type SandboxSettings, SETTINGS_VARIABLE } from './settings.ts'
import { realDirectory, toolchainArguments } from './toolchain.ts'

const run = promisify(execFile)

const BIN = fileURLToPath(new URL('../bin', import.meta.url))
const PLUGIN = fileURLToPath(new URL('./plugin.ts', import.meta.url))

export type SandboxOptions = {
  /** WORKSPACES_DIR. */
  readonly workspaces: string
  /** Receives HOME and /tmp of every working directory. Created if it does not exist. */
  readonly state: string
  /** The environment of the server, of which commands receive a few variables. */
  readonly env: Readonly<Record<string, string>>
  /** Variables that commands receive in addition. */
  readonly passVariables: readonly string[]
  /** Directories that commands may read in addition to the system's and those on PATH. */
  readonly readOnly: readonly string[]
  /** Directories that no command may see, other than its own part of WORKSPACES_DIR. */
  readonly hidden: readonly string[]
  /** Directories of repositories that working directories may borrow objects from. */
  readonly repositories: readonly string[]
}

/** What a server needs to be started with. */
export type ServerSandbox = {
  readonly env: Readonly<Record<string, string>>
  /** A folder for the front of PATH. */
  readonly bin: string
  /** Configuration that overrides the operator's. `plugin` is added to theirs. */
  readonly config: { readonly shell: string; readonly plugin: readonly string[] }
}

export type PreparedSandbox =
  | { readonly isAvailable: true; readonly server: ServerSandbox }
  | { readonly isAvailable: false; readonly reason: string }

/** Returns why the tools of this machine's servers cannot run in sandboxes, or how to start a server whose tools do. */
export const prepareSandbox = async (options: SandboxOptions): Promise<PreparedSandbox> => {
  const { env } = options
  const search = env.PATH ?? ''
  const support = await detectSandbox(search)
  if (!support.isAvailable) return support
  const git = findExecutable('git', search)
  if (git === undefined) return { isAvailable: false, reason: 'git is not installed' }
  await mkdir(options.state, { recursive: true, mode: 0o700 })
  const workspaces = realDirectory(options.workspaces)
  const state = realDirectory(options.state)
  const hidden = [...options.hidden, workspaces, state].map(realDirectory)
  const toolchain = toolchainArguments({ path: search, readOnly: options.readOnly, hidden })
  const repositories = options.repositories.map(realDirectory)
  const shell = findExecutable('bash', '/bin:/usr/bin:/usr/local/bin') ?? '/bin/sh'
  const command = [...support.command, ...toolchain]
  const settings: SandboxSettings = {
    workspaces,
    state,
    command,
    shell,
    environment: commandEnvironment(env, { shell, passVariables: options.passVariables }),
    repositories,
    author: {
      name: await gitSetting('user.name', 'OpenCode'),
      email: await gitSetting('user.email', 'opencode@localhost'),
    },
  }
  return {
    isAvailable: true,
    server: {
      bin: BIN,
      env: {
        [SETTINGS_VARIABLE]: JSON.stringify(settings),
        SWITCHYARD_SANDBOX_WORKSPACES: workspaces,
        SWITCHYARD_SANDBOX_REAL_GIT: git,
        SWITCHYARD_SANDBOX_GIT: [...command, '--unshare-net', ...gitArguments(repositories)].join('\n'),
        // Plugins, MCP servers, tools and `{env:…}` of a repository's configuration would run in the server's process.
        OPENCODE_DISABLE_PROJECT_CONFIG: env.OPENCODE_DISABLE_PROJECT_CONFIG ?? '1',
      },
      config: { shell: path.join(BIN, 'bash'), plugin: [pathToFileURL(PLUGIN).href] },
    },
  }
}

/** Returns the sandbox of a server whose commands get variables of their own, such as those that an operator sets for a project. */
export const withVariables = (server: ServerSandbox, variables: Readonly<Record<string, string>>): ServerSandbox => {
  const settings = readSettings(server.env)
  const environment = extendEnvironment(settings.environment, variables)
  return { ...server, env: { ...server.env, [SETTINGS_VARIABLE]: JSON.stringify({ ...settings, environment }) } }
}

const gitArguments = (repositories: readonly string[]): readonly string[] => [
  ...repositories.flatMap((directory) => ['--ro-bind-try', directory, directory]),
  ...['--setenv', 'PATH', '/usr/local/bin:/usr/bin:/bin', '--setenv', 'HOME', '/nonexistent'],
  // The directory is read-only: `git status` must not try to refresh its index.
  ...['--setenv', 'GIT_OPTIONAL_LOCKS', '0'],
]

/** Reads the operator's own git configuration. */
const gitSetting = async (name: string, fallback: string): Promise<string> => {
  const { stdout } = await run('git', ['config', '--get', name], { cwd: '/' }).catch(() => ({ stdout: '' }))
  return stdout.trim() || fallback
}
