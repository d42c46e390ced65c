// Errors of models, agents and providers.

import type { ErrorKind } from './kind.ts'

export const modelErrors = {
  invalid_model: {
    status: 400,
    retryable: false,
    hint: 'Write the model as provider/model, for example anthropic/claude-sonnet-4-5.',
  },
  model_not_found: {
    status: 422,
    retryable: false,
    hint: 'Name a model of a provider that is configured on the OpenCode server; GET /health lists the providers.',
  },
  agent_not_found: {
    status: 422,
    retryable: false,
    hint: 'Name an agent that OpenCode knows in this directory, such as build or plan.',
  },
  no_model_configured: {
    status: 422,
    retryable: false,
    hint: "Set a model provider's key, such as ANTHROPIC_API_KEY, or name a provider in OpenCode's configuration, and restart.",
  },
  model_error: {
    status: 502,
    retryable: true,
    hint: "The model provider refused or failed; its message says why. Check the key, the quota and the model's name.",
  },
  provider_auth: {
    status: 502,
    retryable: false,
    hint: 'The model provider did not accept the key; set the right one for the OpenCode server.',
  },
  output_limit: {
    status: 502,
    retryable: false,
    hint: "The model's answer was cut off at its output limit; ask for less in one task.",
  },
} as const satisfies Record<string, ErrorKind>
