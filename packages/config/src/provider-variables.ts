// Which variables of an environment are for OpenCode and the model providers, and hence for a runner's container.

const PROVIDERS =
  /^(ANTHROPIC|AWS|AZURE|CEREBRAS|CLOUDFLARE|COHERE|DEEPINFRA|DEEPSEEK|FIREWORKS|GEMINI|GOOGLE|GROQ|MISTRAL|MOONSHOT|NVIDIA|OLLAMA|OPENAI|OPENROUTER|PERPLEXITY|TOGETHER|VERTEX|XAI|ZHIPU)_/
/** Files and folders of this machine are not in the container, and servers' passwords are not for it. */
const NOT_THERE = /^OPENCODE_(SERVER_|ROLLOUT_|CONFIG$|CONFIG_DIR$|BIN_PATH$)|_(CREDENTIALS|FILE|DIR|PATH|PROFILE)$/

const isProviderVariable = (name: string): boolean =>
  !NOT_THERE.test(name) && (PROVIDERS.test(name) || name.startsWith('OPENCODE_') || name.endsWith('_API_KEY'))

export const providerVariables = (env: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(env).filter(([name, value]) => value !== '' && isProviderVariable(name)))
