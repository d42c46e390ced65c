// A project's own model in OpenCode's configuration.

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The installation's configuration says which providers there are; the project, which of their models is its own.
 *
 * @throws SyntaxError where OPENCODE_CONFIG_CONTENT is no JSON
 */
export const withModel = (
  env: Readonly<Record<string, string>>,
  model: string | null,
): Readonly<Record<string, string>> => {
  if (model === null) return env
  const content: unknown = JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '{}')
  return { ...env, OPENCODE_CONFIG_CONTENT: JSON.stringify({ ...(isRecord(content) ? content : {}), model }) }
}
