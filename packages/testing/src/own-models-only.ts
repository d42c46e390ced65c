// Environment variables that limit a test's OpenCode server to the configured models. With the full
// list of models, 5 MB per directory, a new directory costs it three times as much CPU.

import { fileURLToPath } from 'node:url'

export const OWN_MODELS_ONLY = {
  OPENCODE_DISABLE_MODELS_FETCH: '1',
  OPENCODE_MODELS_PATH: fileURLToPath(new URL('./no-models.json', import.meta.url)),
} as const
