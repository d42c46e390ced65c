import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { describe, expect, it } from 'vitest'
import { loadConfig } from './config.ts'

const problemOf = (env: NodeJS.ProcessEnv): string => {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof SwitchyardError) return error.message
    throw error
  }
  throw new Error('the environment was accepted')
}

describe('loadConfig', () => {
  it('needs no variable at all', () => {
    const config = loadConfig({})
    expect(config.api).toMatchObject({ port: 3456, host: '127.0.0.1', keys: [] })
    expect(config.opencode).toMatchObject({ healthCheckIntervalMs: 5000, maxRetries: 3, retryDelayMs: 1000 })
  })

  it('takes an empty variable for an unset one', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: '', DEFAULT_MODEL: '' }).api.port).toBe(3456)
  })

  it('names every variable that is wrong', () => {
    const problem = problemOf({ PORT: 'http', REDIS_URL: 'localhost', LOG_LEVEL: 'loud' })
    for (const name of ['PORT', 'REDIS_URL', 'LOG_LEVEL']) expect(problem).toContain(name)
  })

  it('reads keys, and never repeats a token in a message', () => {
    const token = 'a-token-that-is-long-enough'
    expect(loadConfig({ SWITCHYARD_API_KEYS: `ci:agent:${token}` }).api.keys).toEqual([
      { name: 'ci', role: 'agent', token },
    ])
    expect(problemOf({ SWITCHYARD_API_KEYS: `ci:boss:${token}` })).not.toContain(token)
  })

  it('reads the tokens of git hosts, and never repeats one in a message or hands one to OpenCode', () => {
    const env = {
      GIT_HTTPS_TOKENS: 'GitHub.com=ghp_x, git.example.org:8443=me:glpat:y',
      GIT_SSH_TRUST_NEW_HOSTS: 'true',
    }
    const { git, opencode, docker } = loadConfig(env)
    expect(git).toEqual({
      trustNewHosts: true,
      httpsTokens: [
        { host: 'github.com', user: undefined, token: 'ghp_x' },
        { host: 'git.example.org:8443', user: 'me', token: 'glpat:y' },
      ],
    })
    expect([opencode.inherited, docker.environment]).toEqual([{}, {}])
    for (const wrong of ['https://h.example=secret', 'secret', 'h.example=', 'h.example=:secret', 'h=a,h=secret']) {
      const problem = problemOf({ GIT_HTTPS_TOKENS: wrong })
      expect(problem).toContain('GIT_HTTPS_TOKENS')
      expect(problem).not.toContain('secret')
    }
  })

  it('reads the tokens of git hosts from a file', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'switchyard-config-'))
    const file = path.join(directory, 'tokens')
    await writeFile(file, '# our forge\ngit.example.org=one\n')
    expect(loadConfig({ GIT_HTTPS_TOKENS_FILE: file }).git.httpsTokens).toEqual([
      { host: 'git.example.org', user: undefined, token: 'one' },
    ])
    expect(problemOf({ GIT_HTTPS_TOKENS_FILE: file, GIT_HTTPS_TOKENS: 'git.example.org=two' })).toContain('both')
    await rm(directory, { recursive: true })
    expect(problemOf({ GIT_HTTPS_TOKENS_FILE: file })).toContain('GIT_HTTPS_TOKENS_FILE cannot be read: ENOENT')
  })

  it('takes a file of certificates for git hosts, and refuses one that holds none', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'switchyard-config-'))
    const at = (name: string) => path.join(directory, name)
    await writeFile(at('ca.pem'), '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n')
    await writeFile(at('none.pem'), 'no certificate\n')
    await writeFile(at('empty.pem'), '')
    expect(loadConfig({ GIT_CA_FILE: at('ca.pem') }).git.caFile).toBe(at('ca.pem'))
    for (const name of [at('empty.pem'), '', undefined])
      expect(loadConfig({ GIT_CA_FILE: name }).git.caFile).toBeUndefined()
    expect(problemOf({ GIT_CA_FILE: at('none.pem') })).toContain('GIT_CA_FILE names a file that holds no certificate')
    expect(problemOf({ GIT_CA_FILE: at('nowhere') })).toContain('GIT_CA_FILE cannot be read: ENOENT')
    await rm(directory, { recursive: true })
  })

  it('refuses to serve others without keys', () => {
    expect(problemOf({ HOST: '0.0.0.0' })).toContain('SWITCHYARD_API_KEYS')
    expect(loadConfig({ HOST: '0.0.0.0', SWITCHYARD_ALLOW_NO_AUTH: 'true' }).api.host).toBe('0.0.0.0')
  })

  it('keeps variables that give access to Switchyard from a supervised OpenCode server', () => {
    const { inherited } = loadConfig({
      DATABASE_URL: 'postgres://a:b@localhost/c',
      SWITCHYARD_API_KEYS: 'ci:agent:a-token-that-is-long-enough',
      ANTHROPIC_API_KEY: 'key',
      OPENCODE_CONFIG: '/x.json',
    }).opencode
    expect(inherited).toEqual({ ANTHROPIC_API_KEY: 'key', OPENCODE_CONFIG: '/x.json' })
  })

  it('gives a container the variables of providers and of OpenCode, and of these no file or password', () => {
    const { environment } = loadConfig({
      PATH: '/bin',
      HOME: '/root',
      DATABASE_URL: 'postgres://a:b@localhost/c',
      DOCKER_HOST: 'tcp://127.0.0.1:2375',
      ANTHROPIC_API_KEY: 'key',
      AWS_REGION: 'eu',
      SOME_API_KEY: 'key',
      GITHUB_TOKEN: 'token',
      HTTPS_PROXY: 'http://proxy',
      OPENCODE_CONFIG: '/x.json',
      OPENCODE_CONFIG_CONTENT: '{}',
      OPENCODE_SERVER_PASSWORD: 'secret',
      GOOGLE_APPLICATION_CREDENTIALS: '/key.json',
    }).docker
    expect(environment).toEqual({
      ANTHROPIC_API_KEY: 'key',
      AWS_REGION: 'eu',
      SOME_API_KEY: 'key',
      OPENCODE_CONFIG_CONTENT: '{}',
    })
  })

  it('reads sizes, fractions and host:port pairs, and refuses anything else', () => {
    const { docker } = loadConfig({
      RUNNER_MEMORY_LIMIT: '512m',
      RUNNER_DISK_LIMIT: '3GB',
      RUNNER_CPU_LIMIT: '1.5',
      EGRESS_ALLOW: '10.0.0.5:11434, models:80',
      EGRESS_DENY: '9.9.9.9, 2620:fe::/48',
      RUNNER_EGRESS_ALLOW: 'old:80',
      RUNNER_EGRESS_DENY: '8.8.8.8',
    })
    expect(docker).toMatchObject({
      memoryBytes: 536_870_912,
      diskBytes: 3_221_225_472,
      cpus: 1.5,
      egressAllow: ['10.0.0.5:11434', 'models:80', 'old:80'],
      egressDeny: ['9.9.9.9', '2620:fe::/48', '8.8.8.8'],
    })
    for (const [name, value] of Object.entries({
      RUNNER_MEMORY_LIMIT: '12m',
      RUNNER_CPU_LIMIT: 'two',
      PROJECT_SERVER_MEMORY_LIMIT: '512m',
      EGRESS_ALLOW: 'http://x',
      EGRESS_DENY: 'my-host',
      RUNNER_EGRESS_ALLOW: 'http://x',
      DOCKER_HOST: 'ssh://host',
      RUNNER_PROXY: 'http://proxy:3128',
    }))
      expect(problemOf({ [name]: value })).toContain(name)
  })

  describe('in production', () => {
    const good = {
      NODE_ENV: 'production',
      SWITCHYARD_API_KEYS: 'ops:operator:kV2mWq8xTz4bN1rY',
      WEBHOOK_SECRET: 'whsec_m1Xr8Tq0vB3kZ5yWc7dF9hJ2nL4pS6uA',
    }

    it('starts with secrets that are some', () => {
      expect(loadConfig(good)).toMatchObject({ isProduction: true, weakSecrets: [] })
      expect(loadConfig({})).toMatchObject({ isProduction: false, weakSecrets: [] })
    })

    it('names every secret that is missing', () => {
      const problem = problemOf({
        NODE_ENV: 'production',
        OPENCODE_SERVER_URL: 'http://127.0.0.1:4096',
        DATABASE_URL: 'postgres://switchyard@db/switchyard',
        REDIS_URL: 'redis://queue:6379',
      })
      for (const name of [
        'SWITCHYARD_API_KEYS',
        'WEBHOOK_SECRET',
        'OPENCODE_SERVER_PASSWORD',
        'DATABASE_URL',
        'REDIS_URL',
      ])
        expect(problem).toContain(name)
    })

    it.each([
      { SWITCHYARD_API_KEYS: 'ops:operator:CHANGE_ME_REQUIRED' },
      { SWITCHYARD_API_KEYS: 'ops:operator:<token-of-yours>' },
      { OPENCODE_SERVER_PASSWORD: 'changeme' },
      { OPENCODE_SERVER_PASSWORD: 'kV2mWq8x' },
      { DATABASE_URL: 'postgres://user:password@host:5432/switchyard' },
      { REDIS_URL: 'redis://:aaaaaaaaaaaaaaaaaaaaaaaa@host:6379', DATABASE_URL: 'postgres:///db?host=/run/postgresql' },
      { WEBHOOK_SECRET: `whsec_${'A'.repeat(32)}` },
      { GIT_HTTPS_TOKENS: 'github.com=<token>' },
      { LETTA_API_TOKEN: 'your-letta-token', LETTA_API_URL: 'https://letta.example.org' },
      {
        MATRIX_ACCESS_TOKEN: 'CHANGE_ME_REQUIRED',
        MATRIX_HOMESERVER_URL: 'https://matrix.example.org',
        MATRIX_ROOM_ID: '!room:example.org',
      },
      { SWITCHYARD_API_KEYS: '' },
    ])('refuses %j, which development warns of, and does not repeat it', (env) => {
      const [name = '', value = ''] = Object.entries(env)[0] ?? []
      const problem = problemOf({ ...good, ...env })
      expect(problem).toContain(name)
      if (value !== '') {
        expect(problem).not.toContain(value)
        expect(loadConfig(env).weakSecrets).toHaveLength(1)
      }
    })

    it('asks each process for the secrets that it needs', () => {
      expect(loadConfig({ NODE_ENV: 'production' }, 'worker').isProduction).toBe(true)
      expect(loadConfig({ NODE_ENV: 'production' }, 'docker-filter').isProduction).toBe(true)
      expect(() => loadConfig({ NODE_ENV: 'production' }, 'api')).toThrow(/SWITCHYARD_API_KEYS/)
      expect(() => loadConfig({ NODE_ENV: 'production' }, 'notifier')).toThrow(/WEBHOOK_SECRET/)
    })

    it('is nothing that an agent inherits', () => {
      expect(loadConfig(good).opencode.inherited).toEqual({})
    })
  })
  it('reads Matrix, which is off without a homeserver', () => {
    expect(loadConfig({}).matrix).toBeUndefined()
    const { matrix } = loadConfig({
      MATRIX_HOMESERVER_URL: 'https://matrix.example.org',
      MATRIX_ACCESS_TOKEN: 'a-token',
      MATRIX_ROOM_ID: '!room:example.org',
      MATRIX_ROOMS: 'builder=#builds:example.org, reviewer=!r:example.org',
      MATRIX_ALLOWED_USERS: '@ann:example.org,@ben:example.org',
    })
    expect(matrix).toMatchObject({
      room: '!room:example.org',
      rooms: new Map([
        ['builder', '#builds:example.org'],
        ['reviewer', '!r:example.org'],
      ]),
      allowedUsers: ['@ann:example.org', '@ben:example.org'],
      roomPerTask: false,
      progressIntervalMs: 30_000,
    })
  })

  it.each([
    ['MATRIX_ACCESS_TOKEN', { MATRIX_HOMESERVER_URL: 'https://x' }],
    ['MATRIX_HOMESERVER_URL', { MATRIX_ACCESS_TOKEN: 'secret-token' }],
    ['MATRIX_ROOM_ID', { MATRIX_HOMESERVER_URL: 'https://x', MATRIX_ACCESS_TOKEN: 'secret-token' }],
    ['MATRIX_ROOM_ID', { MATRIX_ROOM_ID: 'room' }],
    ['MATRIX_ROOMS', { MATRIX_ROOMS: 'secret-token' }],
    ['MATRIX_ALLOWED_USERS', { MATRIX_ALLOWED_USERS: 'ann' }],
  ])('refuses a bad %s, and repeats no token', (name, env) => {
    const problem = problemOf(env)
    expect(problem).toContain(name)
    expect(problem).not.toContain('secret-token')
  })
})
