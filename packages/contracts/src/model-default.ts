// A project's own model in OpenCode's configuration.

import { isObject } from './json.ts'

/**
 * Returns the environment with the model of a project. The providers are those of the installation.
 *
 * @throws SyntaxError when OPENCODE_CONFIG_CONTENT is not JSON
 */
export const withModel = (
  env: Readonly<Record<string, string>>,
  model: string | null,
): Readonly<Record<string, string>> => {
  if (model === null) return env
  const content: unknown = JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '{}')
  return { ...env, OPENCODE_CONFIG_CONTENT: JSON.stringify({ ...(isObject(content) ? content : {}), model }) }
}
