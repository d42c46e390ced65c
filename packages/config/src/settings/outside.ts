// Variables that Switchyard does not read: compose.yaml uses them, or OpenCode and git do.

import type { OutsideSetting, Section } from './setting.ts'

export const stack: Section<OutsideSetting> = {
  title: 'The stack',
  settings: {
    COMPOSE_PROJECT_NAME: {
      description: 'Name of the stack; its volumes and networks begin with it.',
      default: 'switchyard',
      example: 'switchyard',
      services: [],
    },
    OPENCODE_CONFIG_FILE: {
      description: 'Your own OpenCode configuration, mounted read-only.',
      default: './deploy/opencode.json',
      example: './opencode.json',
      services: [],
    },
    OPENCODE_CPU_LIMIT: {
      description: 'Cores of the container in which agents work.',
      default: '2.00',
      example: '2.00',
      services: [],
    },
    OPENCODE_MEMORY_LIMIT: {
      description: 'Memory of the container in which agents work.',
      default: '4G',
      example: '4G',
      services: [],
    },
    OPENCODE_GREEN_VERSION: {
      description: "OpenCode's version in the pool `green` (`--profile green`).",
      default: '1.18.33',
      example: '1.18.33',
      services: [],
    },
    DOCKER_SOCKET: {
      description: "The Docker engine's socket (`--profile docker`).",
      default: '/var/run/docker.sock',
      example: '/var/run/docker.sock',
      services: [],
    },
    DOCKER_GID: {
      description: 'Group that may use the socket: `stat -c %g /var/run/docker.sock`.',
      default: '999',
      example: '999',
      services: [],
    },
  },
}

const provider = (name: string): readonly [string, OutsideSetting] => [
  name,
  { description: '', services: ['model-gateway', 'docker-filter'], isSecret: true },
]

/** For the model gateway, and for the containers of Docker mode. */
export const providers: Section<OutsideSetting> = {
  title: 'OpenCode and model providers',
  settings: {
    OPENCODE_CONFIG: {
      description: 'Your own OpenCode configuration file (`npm start`).',
      example: './opencode.json',
      services: ['model-gateway'],
      isFixedInStack: true,
    },
    OPENCODE_CONFIG_CONTENT: {
      description: 'OpenCode configuration as JSON on one line, merged over the file.',
      example: '{"model":"anthropic/claude-sonnet-4-5"}',
      services: ['model-gateway', 'docker-filter'],
    },
    OPENCODE_DISABLE_MODELS_FETCH: {
      description: '1: use the list of models that came with OpenCode instead of downloading it.',
      example: '1',
      services: ['model-gateway', 'docker-filter'],
    },
    OPENCODE_DISABLE_SHARE: {
      description: 'false: sessions may be [shared](sessions.md#sharing) on a public page.',
      default: '1',
      example: '1',
      services: ['opencode'],
    },
    HTTP_PROXY: {
      description:
        "Your own proxy. In the stack, the egress proxy (`http://` only) and the worker's git use it; OpenCode reaches it through the egress proxy.",
      example: 'http://proxy.example.com:3128',
      services: ['egress', 'worker', 'model-gateway'],
    },
    HTTPS_PROXY: {
      description: 'The same for https.',
      example: 'http://proxy.example.com:3128',
      services: ['egress', 'worker', 'model-gateway'],
    },
    NO_PROXY: {
      description: 'Hosts that are reached without your own proxy.',
      services: ['egress', 'worker', 'model-gateway'],
    },
    ...Object.fromEntries(
      [
        'ANTHROPIC_API_KEY',
        'ANTHROPIC_BASE_URL',
        'AWS_ACCESS_KEY_ID',
        'AWS_SECRET_ACCESS_KEY',
        'AWS_SESSION_TOKEN',
        'AWS_BEARER_TOKEN_BEDROCK',
        'AWS_REGION',
        'AZURE_API_KEY',
        'AZURE_RESOURCE_NAME',
        'AZURE_COGNITIVE_SERVICES_RESOURCE_NAME',
        'CEREBRAS_API_KEY',
        'CLOUDFLARE_ACCOUNT_ID',
        'CLOUDFLARE_API_TOKEN',
        'COHERE_API_KEY',
        'DEEPINFRA_API_KEY',
        'DEEPSEEK_API_KEY',
        'FIREWORKS_API_KEY',
        'GEMINI_API_KEY',
        'GOOGLE_API_KEY',
        'GOOGLE_GENERATIVE_AI_API_KEY',
        'GROQ_API_KEY',
        'MISTRAL_API_KEY',
        'MOONSHOT_API_KEY',
        'NVIDIA_API_KEY',
        'OLLAMA_API_KEY',
        'OPENAI_API_KEY',
        'OPENAI_BASE_URL',
        'OPENCODE_API_KEY',
        'OPENROUTER_API_KEY',
        'PERPLEXITY_API_KEY',
        'TOGETHER_API_KEY',
        'XAI_API_KEY',
        'ZHIPU_API_KEY',
      ].map(provider),
    ),
  },
}
