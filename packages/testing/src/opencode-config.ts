// The OpenCode configuration that makes the scripted model its only provider.

import type { Config } from '@opencode-ai/sdk/v2'

/** US dollars per million tokens: round figures, so that a reader can compute the costs. */
export const SCRIPTED_PRICES = { input: 1, output: 10, cache_read: 0.1, cache_write: 0 } as const

/**
 * Returns the configuration to pass as JSON in OPENCODE_CONFIG_CONTENT.
 *
 * @param modelUrl - the address of the scripted model, as the OpenCode server reaches it
 */
export const opencodeConfig = (modelUrl: string): Config => ({
  model: 'scripted/model',
  small_model: 'scripted/model',
  enabled_providers: ['scripted'],
  provider: {
    scripted: {
      name: 'Scripted model',
      npm: '@ai-sdk/openai-compatible',
      options: { baseURL: `${modelUrl}/v1`, apiKey: 'scripted' },
      models: { model: scriptedModel('Scripted'), other: scriptedModel('Another scripted') },
    },
  },
  snapshot: false,
  autoupdate: false,
  share: 'disabled',
})

const scriptedModel = (name: string) => ({
  name,
  tool_call: true,
  reasoning: true,
  attachment: false,
  temperature: true,
  cost: { ...SCRIPTED_PRICES },
  limit: { context: 200_000, output: 32_000 },
  interleaved: 'reasoning_content',
})
