// Reads the provider settings of the operator's OpenCode configuration, in OpenCode's order.

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { isObject, type JsonObject, mergeObjects, SwitchyardError } from '@switchyard/contracts'
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser'
import { referencedVariables, substitute } from './substitution.ts'

type Environment = Readonly<Record<string, string>>

export type OperatorConfig = {
  /** All sources merged, with variables and files put in. */
  readonly config: JsonObject
  /** The file that OPENCODE_CONFIG names, alone. */
  readonly file: JsonObject
  /** OPENCODE_CONFIG_CONTENT alone. */
  readonly content: JsonObject
  /** Variables that the provider settings refer to: they hold keys. */
  readonly variables: ReadonlySet<string>
}

/**
 * Reads OpenCode's global configuration, OPENCODE_CONFIG, OPENCODE_CONFIG_DIR and OPENCODE_CONFIG_CONTENT.
 *
 * @throws SwitchyardError `configuration_invalid` naming the source that is not valid JSON
 */
export const readOperatorConfig = async (env: Environment): Promise<OperatorConfig> => {
  const variables = new Set<string>()
  const read = async (text: string, directory: string, source: string): Promise<JsonObject> => {
    for (const name of referencedVariables(parseConfig(text, source).provider)) variables.add(name)
    return parseConfig(await substitute(text, env, directory), source)
  }
  let config: JsonObject = {}
  let ownFile: JsonObject = {}
  for (const file of configFiles(env)) {
    const text = await readIfPresent(file)
    if (text === undefined) continue
    const parsed = await read(text, path.dirname(file), file)
    if (env.OPENCODE_CONFIG && file === path.resolve(env.OPENCODE_CONFIG)) ownFile = parsed
    config = mergeObjects(config, parsed)
  }
  const text = env.OPENCODE_CONFIG_CONTENT
  const content = text?.trim() ? await read(text, process.cwd(), 'OPENCODE_CONFIG_CONTENT') : {}
  return { config: mergeObjects(config, content), file: ownFile, content, variables }
}

const configFiles = (env: Environment): readonly string[] => {
  const global = path.join(env.XDG_CONFIG_HOME ?? path.join(env.HOME ?? homedir(), '.config'), 'opencode')
  return [
    ...['config.json', 'opencode.json', 'opencode.jsonc'].map((name) => path.join(global, name)),
    ...(env.OPENCODE_CONFIG ? [path.resolve(env.OPENCODE_CONFIG)] : []),
    ...(env.OPENCODE_CONFIG_DIR
      ? ['opencode.json', 'opencode.jsonc'].map((name) => path.resolve(env.OPENCODE_CONFIG_DIR ?? '', name))
      : []),
  ]
}

const readIfPresent = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined)

const parseConfig = (text: string, source: string): JsonObject => {
  const errors: ParseError[] = []
  const value: unknown = parse(text, errors, { allowTrailingComma: true })
  const [error] = errors
  if (!error && isObject(value)) return value
  const why = error ? ` (${printParseErrorCode(error.error)} at offset ${error.offset})` : ''
  throw new SwitchyardError('configuration_invalid', `${source} is not a JSON object${why}`)
}
