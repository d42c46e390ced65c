// Selects the variables for OpenCode and model providers, which a task's container receives.

const PROVIDERS =
  /^(ANTHROPIC|AWS|AZURE|CEREBRAS|CLOUDFLARE|COHERE|DEEPINFRA|DEEPSEEK|FIREWORKS|GEMINI|GOOGLE|GROQ|MISTRAL|MOONSHOT|NVIDIA|OLLAMA|OPENAI|OPENROUTER|PERPLEXITY|TOGETHER|VERTEX|XAI|ZHIPU)_/
/** Files of this machine do not exist in the container, and it must not have servers' passwords. */
const NOT_THERE = /^OPENCODE_(SERVER_|ROLLOUT_|CONFIG$|CONFIG_DIR$|BIN_PATH$)|_(CREDENTIALS|FILE|DIR|PATH|PROFILE)$/

const isProviderVariable = (name: string): boolean =>
  !NOT_THERE.test(name) && (PROVIDERS.test(name) || name.startsWith('OPENCODE_') || name.endsWith('_API_KEY'))

export const providerVariables = (env: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter(([name, value]) => value !== '' && isProviderVariable(name)))
