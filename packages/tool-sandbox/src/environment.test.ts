import { describe, expect, it } from 'vitest'
import { commandEnvironment } from './environment.ts'

describe('commandEnvironment', () => {
  it('passes listed variables only', () => {
    const env = {
      PATH: '/bin',
      HOME: '/root',
      LANG: 'de_DE.UTF-8',
      HTTPS_PROXY: 'http://proxy:3128',
      ANTHROPIC_API_KEY: 'secret',
      OPENCODE_SERVER_PASSWORD: 'secret',
      GOPROXY: 'https://proxy.example',
      PIP_INDEX_URL: 'two\nlines',
    }
    const passed = commandEnvironment(env, { shell: '/bin/bash', passVariables: ['GOPROXY', 'PIP_INDEX_URL'] })
    expect(passed).toEqual({
      PATH: '/bin',
      HOME: '/home/agent',
      TMPDIR: '/tmp',
      SHELL: '/bin/bash',
      LANG: 'de_DE.UTF-8',
      HTTPS_PROXY: 'http://proxy:3128',
      GOPROXY: 'https://proxy.example',
      AGENT: '1',
      OPENCODE: '1',
    })
  })
})
