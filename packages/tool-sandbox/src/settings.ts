// What the plugin needs to know of the installation. The server's environment carries it, in one variable.

/** The variable with the {@link SandboxSettings} as JSON. */
export const SETTINGS_VARIABLE = 'SWITCHYARD_SANDBOX_SETTINGS'

/** The directory of a command's HOME, in every sandbox. */
export const SANDBOX_HOME = '/home/agent'

export type SandboxSettings = {
  /** WORKSPACES_DIR, without symbolic links. A task's directory lies below it. */
  readonly workspaces: string
  /** Holds HOME and /tmp of every working directory. No sandbox can see it. */
  readonly state: string
  /** `bwrap` with the arguments that are the same for every command: namespaces and read-only files. */
  readonly command: readonly string[]
  /** The shell that runs the command, as the sandbox sees it. */
  readonly shell: string
  /** The variables that are the same for every command. */
  readonly environment: Readonly<Record<string, string>>
  /** Directories of repositories that a working directory may borrow objects from. */
  readonly repositories: readonly string[]
  /** The author of commits. */
  readonly author: { readonly name: string; readonly email: string }
}

/** @throws Error when the variable is missing or is not JSON */
export const readSettings = (env: Readonly<Record<string, string | undefined>>): SandboxSettings => {
  const text = env[SETTINGS_VARIABLE]
  if (text === undefined) throw new Error(`${SETTINGS_VARIABLE} is not set`)
  return JSON.parse(text)
}
