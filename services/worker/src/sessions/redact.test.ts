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
      'flags',
      { command: ['run', '--token', 'x', '--api-key=y', '-v'] },
      { command: ['run', '--token', '***', '--api-key=***', '-v'] },
    ],
    ['a URL', { url: 'https://u:p@h/x?a=1&token=y' }, { url: 'https://***@h/x?a=1&token=***' }],
    ['a key by its look', { note: 'sk-0123456789abcdef0123' }, { note: '***' }],
    ['a list of objects', { servers: [{ password: 'x', port: 1 }] }, { servers: [{ password: '***', port: 1 }] }],
  ])('hides %s', (_name, given, expected) => {
    expect(redact(given)).toEqual(expected)
  })

  it('leaves what is none', () => {
    const config = {
      model: 'provider/model',
      keybinds: { leader: 'ctrl+x' },
      limit: { context: 200_000, maxTokens: 1_000 },
      agent: { build: { prompt: 'Say what you do.', tools: { bash: true } } },
      command: ['npx', 'tracker', '--verbose'],
      instructions: ['AGENTS.md'],
    }
    expect(redact(config)).toEqual(config)
  })
})
