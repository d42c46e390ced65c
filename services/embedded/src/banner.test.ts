import { describe, expect, it } from 'vitest'
import { banner } from './banner.ts'

const facts = {
  version: '0.1.0',
  startedInMs: 1_940,
  url: 'http://127.0.0.1:3456',
  hasKeys: false,
  isProduction: false,
  providers: ['anthropic'],
  defaultModel: undefined,
  home: '/srv/switchyard',
  noSandbox: undefined,
}

describe('banner', () => {
  it('shows the addresses and how to connect', () => {
    const text = banner(facts)
    expect(text).toContain('ready after 1.9 s')
    expect(text).toContain('claude mcp add --transport http switchyard http://127.0.0.1:3456/mcp\n')
    expect(text).toContain('{"mcpServers":{"switchyard":{"type":"http","url":"http://127.0.0.1:3456/mcp"}}}')
    expect(text).toContain('this machine only')
    expect(text).toContain('/srv/switchyard')
  })

  it('shows where to put the key if keys are required', () => {
    const text = banner({ ...facts, hasKeys: true })
    expect(text).toContain('--header "Authorization: Bearer $SWITCHYARD_TOKEN"')
    expect(text).toContain('"Authorization":"Bearer <a token of SWITCHYARD_API_KEYS>"')
  })

  it('says in development that secrets were generated', () => {
    expect(banner(facts)).toContain('with NODE_ENV=production you must set your own')
    expect(banner({ ...facts, isProduction: true })).not.toContain('NODE_ENV')
  })

  it('says whether commands of agents run in a sandbox, and why not', () => {
    expect(banner(facts)).toContain('runs in the sandbox of its task')
    expect(banner({ ...facts, noSandbox: 'bwrap is not installed' })).toContain('not sandboxed: bwrap is not installed')
  })

  it('says that nothing limits what agents reach', () => {
    expect(banner(facts)).toContain('no egress proxy')
  })

  it('says that no model provider is configured', () => {
    expect(banner({ ...facts, providers: [] })).toContain('no provider is configured')
    expect(banner({ ...facts, providers: ['opencode'] })).toContain('opencode only')
  })
})
