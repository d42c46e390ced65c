// The environment of an OpenCode child process: the caller's own, plus isolated data directories and quiet defaults.

import path from 'node:path'
import type { Config } from '@opencode-ai/sdk/v2'
import { type JsonObject, mergeObjects, SwitchyardError } from '@switchyard/contracts'
import { parseObject } from '../json-object.ts'
import { MARKER } from './processes.ts'

export type OpenCodeConfig = Config

/** The values that OpenCode reads as true. */
const TRUE_VALUES: ReadonlySet<string> = new Set(['1', 'true'])

export type EnvironmentOptions = {
  readonly env: Readonly<Record<string, string>>
  readonly dataDir: string
  readonly password: string
  readonly serverId: string
  readonly extraPath?: readonly string[]
  readonly ripgrep: string | undefined
  readonly config?: OpenCodeConfig
  readonly sandbox?: ServerSandbox
}

/** Makes the server run its tools in sandboxes. Overrides the caller's environment and configuration. */
export type ServerSandbox = {
  readonly env: Readonly<Record<string, string>>
  /** A folder for the front of PATH. */
  readonly bin: string
  /** `plugin` is added to the caller's plugins. */
  readonly config: { readonly shell: string; readonly plugin: readonly string[] }
}

/**
 * Returns the environment of the server. The agent's tools inherit all of it, so `env` must not contain credentials of
 * other services.
 *
 * XDG_CONFIG_HOME stays the caller's, so that their own opencode.json applies. Data, state and cache belong to this server,
 * because two servers on one database run the same session twice.
 *
 * @throws SwitchyardError `configuration_invalid` when the caller's OPENCODE_CONFIG_CONTENT is not a JSON object
 */
export const serverEnvironment = (options: EnvironmentOptions): Record<string, string> => {
  const { env, dataDir, sandbox } = options
  const folders = [sandbox?.bin, ...(options.extraPath ?? []), options.ripgrep, env.PATH]
  const share = env.OPENCODE_DISABLE_SHARE ?? '1'
  const content = configContent(
    TRUE_VALUES.has(share) ? options.config : { share: 'manual', ...options.config },
    env.OPENCODE_CONFIG_CONTENT,
    sandbox,
  )
  return {
    // Makes OpenCode's runtime use the C library's heap (WebKit's bmalloc reads this variable). Its own heap splits into ever
    // more mappings, and at the kernel's limit (vm.max_map_count) the server hangs permanently. After 20 directories
    // there are 250 mappings instead of 20,000, and a fifth less CPU was used.
    Malloc: '1',
    ...env,
    // No updates, downloads or sharing unless the caller enables them. OPENCODE_DISABLE_MODELS_FETCH is left to the caller:
    // without the list of models most providers are unknown. When the caller enables sharing, `share: 'manual'` above keeps
    // a repository's configuration from sharing sessions automatically.
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_DISABLE_SHARE: share,
    OPENCODE_SERVER_USERNAME: 'opencode',
    OPENCODE_SERVER_PASSWORD: options.password,
    XDG_DATA_HOME: path.join(dataDir, 'share'),
    XDG_STATE_HOME: path.join(dataDir, 'state'),
    XDG_CACHE_HOME: path.join(dataDir, 'cache'),
    // Every start unpacks 5 MB of native libraries and leaves them; the next start removes this directory.
    TMPDIR: temporaryDirectory(dataDir),
    PATH: folders.filter((folder) => folder !== undefined).join(path.delimiter),
    [MARKER]: options.serverId,
    ...sandbox?.env,
    // Set for a project that the operator trusts: its own configuration is loaded.
    ...(env.OPENCODE_DISABLE_PROJECT_CONFIG === undefined
      ? {}
      : { OPENCODE_DISABLE_PROJECT_CONFIG: env.OPENCODE_DISABLE_PROJECT_CONFIG }),
    ...(content === undefined ? {} : { OPENCODE_CONFIG_CONTENT: content }),
  }
}

export const temporaryDirectory = (dataDir: string): string => path.join(dataDir, 'tmp')

const configContent = (
  config: OpenCodeConfig | undefined,
  callers: string | undefined,
  sandbox: ServerSandbox | undefined,
): string | undefined => {
  if (config === undefined && sandbox === undefined) return callers
  const given = callers === undefined || callers.trim() === '' ? {} : parseContent(callers)
  const merged = mergeObjects({ ...config }, given)
  if (sandbox === undefined) return JSON.stringify(merged)
  const plugins = Array.isArray(merged.plugin) ? merged.plugin : []
  return JSON.stringify({ ...merged, ...sandbox.config, plugin: [...plugins, ...sandbox.config.plugin] })
}

const parseContent = (text: string): JsonObject => {
  const content = parseObject(text)
  if (content) return content
  throw new SwitchyardError('configuration_invalid', 'OPENCODE_CONFIG_CONTENT is not a JSON object')
}
