import { describe, expect, it } from 'vitest'
import { commandEnvironment, extendEnvironment } from './environment.ts'

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

describe('extendEnvironment', () => {
  it('adds the variables of a project, but none that would replace what the sandbox sets itself', () => {
    const environment = { HOME: '/home/agent', LANG: 'C.UTF-8' }
    const variables = { MY_SETTING: 'yes', LANG: 'de_DE.UTF-8', HOME: '/root', LINES: 'a\nb' }
    expect(extendEnvironment(environment, variables)).toEqual({
      HOME: '/home/agent',
      LANG: 'de_DE.UTF-8',
      MY_SETTING: 'yes',
    })
  })
})
