import { describe, expect, it } from 'vitest'
import { redact } from './redact.ts'

describe('a configuration without its secrets', () => {
  it.each([
    ['apiKey', { apiKey: 'x' }, { apiKey: '***' }],
    ['api_key', { api_key: 'x' }, { api_key: '***' }],
    [
      'a key below another',
      { options: { accessKey: 'x', 'client-secret': 'y' } },
      { options: { accessKey: '***', 'client-secret': '***' } },
    ],
    ['every header', { headers: { 'X-Any': 'x' } }, { headers: { 'X-Any': '***' } }],
    [
      'every variable',
      { environment: { ANY: 'x' }, env: { B: ['y'] } },
      { environment: { ANY: '***' }, env: { B: ['***'] } },
    ],
    [
      'the arguments of a program',
      { mcp: { db: { type: 'local', command: ['docker', 'run', '-e', 'DB_PASS=hunter2', '-p', 'hunter2'] } } },
      { mcp: { db: { type: 'local', command: ['docker', '***'] } } },
    ],
    [
      'the arguments of a language server',
      { lsp: { x: { command: ['lsp', '--pat', 'hunter2'], initialization: { licence: 'hunter2', deep: true } } } },
      { lsp: { x: { command: ['lsp', '***'], initialization: { licence: '***', deep: true } } } },
    ],
    [
      'all but the host of an MCP server’s URL',
      { mcp: { a: { url: 'https://u:p@host.example:8443/s/hunter2/mcp?k=hunter2' }, b: { url: 'hunter2' } } },
      { mcp: { a: { url: 'https://host.example:8443' }, b: { url: '***' } } },
    ],
    [
      'an option of a provider that nobody knows',
      {
        provider: {
          x: {
            npm: 'y',
            options: {
              baseURL: 'https://h/v1',
              timeout: 5,
              pat: 'hunter2',
              bearer: 'hunter2',
              dsn: { a: ['hunter2'] },
            },
          },
        },
      },
      {
        provider: {
          x: {
            npm: 'y',
            options: { baseURL: 'https://h/v1', timeout: 5, pat: '***', bearer: '***', dsn: { a: ['***'] } },
          },
        },
      },
    ],
    [
      'the options of a plugin',
      { plugin: ['one', ['two', { pat: 'hunter2', isQuiet: true }]] },
      { plugin: ['one', ['two', { pat: '***', isQuiet: true }]] },
    ],
    ['a URL', { url: 'https://u:p@h/x?a=1&token=y' }, { url: 'https://***@h/x?a=1&token=***' }],
    ['a key by its look', { note: 'sk-0123456789abcdef0123' }, { note: '***' }],
    ['a list of objects', { servers: [{ password: 'x', port: 1 }] }, { servers: [{ password: '***', port: 1 }] }],
  ])('hides %s', (_name, given, expected) => {
    expect(redact(given)).toEqual(expected)
  })

  it('leaves values that are not secret', () => {
    const config = {
      model: 'provider/model',
      keybinds: { leader: 'ctrl+x' },
      limit: { context: 200_000, maxTokens: 1_000 },
      agent: { build: { prompt: 'Say what you do.', tools: { bash: true } } },
      command: { tidy: { template: 'Tidy up.' } },
      formatter: { x: { command: ['npx'], extensions: ['.ts'] } },
      provider: { x: { options: { baseURL: 'https://h/v1', region: 'eu', setCacheKey: true } } },
      instructions: ['AGENTS.md'],
    }
    expect(redact(config)).toEqual(config)
  })
})
