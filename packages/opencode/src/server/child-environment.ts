// The environment of a supervised server: the caller's own, plus what makes it quiet, offline and ours.

import path from 'node:path'
import type { Config } from '@opencode-ai/sdk/v2'
import { SwitchyardError } from '@switchyard/contracts'
import { isObject, parseObject } from '../json-object.ts'
import { MARKER } from './processes.ts'

export type OpenCodeConfig = Config

/** How OpenCode reads its switches. */
const IS_ON: ReadonlySet<string> = new Set(['1', 'true'])

export type EnvironmentOptions = {
  readonly env: Readonly<Record<string, string>>
  readonly dataDir: string
  readonly password: string
  readonly serverId: string
  readonly extraPath?: readonly string[]
  readonly ripgrep: string | undefined
  readonly config?: OpenCodeConfig
}

/**
 * Everything the agent's tools will see, since they inherit it: so nothing that opens another door may be in `env`.
 *
 * XDG_CONFIG_HOME stays the caller's, so their own opencode.json counts; data, state and cache are the server's own,
 * because two servers on one database run the same session twice.
 *
 * @throws SwitchyardError `configuration_invalid` when the caller's OPENCODE_CONFIG_CONTENT is no JSON object.
 */
export const serverEnvironment = (options: EnvironmentOptions): Record<string, string> => {
  const { env, dataDir } = options
  const folders = [...(options.extraPath ?? []), options.ripgrep, env.PATH].filter((folder) => folder !== undefined)
  const share = env.OPENCODE_DISABLE_SHARE ?? '1'
  const content = configContent(
    IS_ON.has(share) ? options.config : { share: 'manual', ...options.config },
    env.OPENCODE_CONFIG_CONTENT,
  )
  return {
    // The heap of its runtime (WebKit's bmalloc reads this name) would be cut into ever more mappings, and at the
    // kernel's limit for them (vm.max_map_count) the server hangs for good. From the C library's heap, 20 directories
    // leave 250 mappings instead of 20 000, and take a fifth less CPU.
    Malloc: '1',
    ...env,
    // Nothing is fetched or shown to others behind the caller's back. OPENCODE_DISABLE_MODELS_FETCH is theirs to set: without the
    // list of models most providers are unknown. So is sharing, and then no repository's configuration shares by itself.
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    OPENCODE_DISABLE_SHARE: share,
    OPENCODE_SERVER_USERNAME: 'opencode',
    OPENCODE_SERVER_PASSWORD: options.password,
    XDG_DATA_HOME: path.join(dataDir, 'share'),
    XDG_STATE_HOME: path.join(dataDir, 'state'),
    XDG_CACHE_HOME: path.join(dataDir, 'cache'),
    // Every start unpacks 5 MB of native libraries and leaves them; here the next start clears them away.
    TMPDIR: temporaryDirectory(dataDir),
    PATH: folders.join(path.delimiter),
    [MARKER]: options.serverId,
    ...(content === undefined ? {} : { OPENCODE_CONFIG_CONTENT: content }),
  }
}

export const temporaryDirectory = (dataDir: string): string => path.join(dataDir, 'tmp')

const configContent = (ours: OpenCodeConfig | undefined, theirs: string | undefined): string | undefined => {
  if (ours === undefined) return theirs
  if (theirs === undefined || theirs.trim() === '') return JSON.stringify(ours)
  return JSON.stringify(merge(ours, parseContent(theirs)))
}

const parseContent = (text: string): unknown => {
  const content = parseObject(text)
  if (content) return content
  throw new SwitchyardError('configuration_invalid', 'OPENCODE_CONFIG_CONTENT is not a JSON object')
}

/** Objects are merged key by key; anything else of the second replaces the first. */
const merge = (under: unknown, over: unknown): unknown => {
  if (!isObject(under) || !isObject(over)) return over
  const keys = new Set([...Object.keys(under), ...Object.keys(over)])
  return Object.fromEntries([...keys].map((key) => [key, key in over ? merge(under[key], over[key]) : under[key]]))
}
