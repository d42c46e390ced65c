import { expect, it } from 'vitest'
import { serverEnvironment } from './child-environment.ts'

const given = { dataDir: '/data', password: 'secret', serverId: 'one', ripgrep: '/rg' }

it('keeps the caller’s variables and config directory, and puts data, state and cache below its own', () => {
  const env = serverEnvironment({
    ...given,
    env: { PATH: '/bin', ANTHROPIC_API_KEY: 'key', XDG_CONFIG_HOME: '/theirs', XDG_DATA_HOME: '/theirs' },
  })
  expect(env).toMatchObject({
    PATH: '/rg:/bin',
    ANTHROPIC_API_KEY: 'key',
    XDG_CONFIG_HOME: '/theirs',
    XDG_DATA_HOME: '/data/share',
    TMPDIR: '/data/tmp',
    OPENCODE_SERVER_PASSWORD: 'secret',
    SWITCHYARD_SERVER_ID: 'one',
  })
  expect(env).not.toHaveProperty('OPENCODE_DISABLE_MODELS_FETCH')
})

it('merges our config under the caller’s own', () => {
  const env = serverEnvironment({
    ...given,
    env: { OPENCODE_CONFIG_CONTENT: '{"model":"theirs/x","provider":{"b":{}}}' },
    config: { model: 'ours/x', snapshot: false, provider: { a: {} } },
  })
  expect(JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '')).toEqual({
    model: 'theirs/x',
    snapshot: false,
    provider: { a: {}, b: {} },
  })
})

it('shares nothing, or where the caller allows it nothing by itself', () => {
  expect(serverEnvironment({ ...given, env: {} })).toMatchObject({ OPENCODE_DISABLE_SHARE: '1' })
  const env = serverEnvironment({ ...given, env: { OPENCODE_DISABLE_SHARE: '0' }, config: { snapshot: false } })
  expect(env.OPENCODE_DISABLE_SHARE).toBe('0')
  expect(JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '')).toEqual({ share: 'manual', snapshot: false })
})

it('says which variable is wrong', () => {
  const start = () => serverEnvironment({ ...given, env: { OPENCODE_CONFIG_CONTENT: '[]' }, config: {} })
  expect(start).toThrow('OPENCODE_CONFIG_CONTENT')
})
