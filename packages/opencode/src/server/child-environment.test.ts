import { expect, it } from 'vitest'
import { serverEnvironment } from './child-environment.ts'

const options = { dataDir: '/data', password: 'secret', serverId: 'one', ripgrep: '/rg' }

it('keeps the variables and config directory of the caller, and uses its own directories for data, state and cache', () => {
  const env = serverEnvironment({
    ...options,
    env: { PATH: '/bin', ANTHROPIC_API_KEY: 'key', XDG_CONFIG_HOME: '/caller', XDG_DATA_HOME: '/caller' },
  })
  expect(env).toMatchObject({
    PATH: '/rg:/bin',
    ANTHROPIC_API_KEY: 'key',
    XDG_CONFIG_HOME: '/caller',
    XDG_DATA_HOME: '/data/share',
    TMPDIR: '/data/tmp',
    OPENCODE_SERVER_PASSWORD: 'secret',
    SWITCHYARD_SERVER_ID: 'one',
  })
  expect(env).not.toHaveProperty('OPENCODE_DISABLE_MODELS_FETCH')
})

it('merges the config under that of the caller', () => {
  const env = serverEnvironment({
    ...options,
    env: { OPENCODE_CONFIG_CONTENT: '{"model":"caller/x","provider":{"b":{}}}' },
    config: { model: 'default/x', snapshot: false, provider: { a: {} } },
  })
  expect(JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '')).toEqual({
    model: 'caller/x',
    snapshot: false,
    provider: { a: {}, b: {} },
  })
})

it('disables sharing, or makes it manual when the caller enables it', () => {
  expect(serverEnvironment({ ...options, env: {} })).toMatchObject({ OPENCODE_DISABLE_SHARE: '1' })
  const env = serverEnvironment({ ...options, env: { OPENCODE_DISABLE_SHARE: '0' }, config: { snapshot: false } })
  expect(env.OPENCODE_DISABLE_SHARE).toBe('0')
  expect(JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '')).toEqual({ share: 'manual', snapshot: false })
})

it('reports which variable is invalid', () => {
  const start = () => serverEnvironment({ ...options, env: { OPENCODE_CONFIG_CONTENT: '[]' }, config: {} })
  expect(start).toThrow('OPENCODE_CONFIG_CONTENT')
})

it('overrides the configuration of the caller with that of the sandbox, and adds its plugin', () => {
  const sandbox = {
    bin: '/sandbox/bin',
    env: { SETTINGS: '{}', OPENCODE_DISABLE_PROJECT_CONFIG: '1' },
    config: { shell: '/sandbox/bin/bash', plugin: ['file:///sandbox/plugin.ts'] },
  }
  const callers = {
    PATH: '/bin',
    SETTINGS: 'theirs',
    OPENCODE_CONFIG_CONTENT: '{"shell":"/bin/zsh","plugin":["theirs"]}',
  }
  const env = serverEnvironment({ ...options, env: callers, sandbox })
  expect(env).toMatchObject({ PATH: '/sandbox/bin:/rg:/bin', SETTINGS: '{}', OPENCODE_DISABLE_PROJECT_CONFIG: '1' })
  expect(JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '')).toEqual({
    shell: '/sandbox/bin/bash',
    plugin: ['theirs', 'file:///sandbox/plugin.ts'],
  })
  const trusted = { ...callers, OPENCODE_DISABLE_PROJECT_CONFIG: 'false' }
  expect(serverEnvironment({ ...options, env: trusted, sandbox }).OPENCODE_DISABLE_PROJECT_CONFIG).toBe('false')
})
