// Checks compose.yaml, as Compose resolves it, and the Dockerfiles.

import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { brokenRules, type ComposeFile, RULES, readComposeFile, type Service } from './compose-file.ts'
import { dockerMissing, REPOSITORY } from './docker.ts'

const missing = await dockerMissing('compose')

const SECRET_NAME = /(KEY|KEYS|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$/i

const PROVIDER_VARIABLES = [
  'ANTHROPIC_API_KEY',
  'OPENAI_API_KEY',
  'OPENROUTER_API_KEY',
  'GOOGLE_GENERATIVE_AI_API_KEY',
  'GROQ_API_KEY',
  'MISTRAL_API_KEY',
  'DEEPSEEK_API_KEY',
  'XAI_API_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AZURE_API_KEY',
]

/** Returns the services whose configuration contains a value, sorted by name. */
const servicesWith = (file: ComposeFile, value: string): readonly string[] =>
  Object.entries(file.services)
    .filter(([, service]) => JSON.stringify(service).includes(value))
    .map(([name]) => name)
    .sort()

const networksOf = (service: Service): readonly string[] => Object.keys(service.networks ?? {})

const servicesMounting = (file: ComposeFile, volume: string): readonly string[] =>
  Object.entries(file.services)
    .filter(([, service]) => (service.volumes ?? []).some((mount) => mount.source === volume))
    .map(([name]) => name)
    .sort()

describe('the compose file', () => {
  let file: ComposeFile
  const service = (name: string): Service => {
    const found = file.services[name]
    if (!found) throw new Error(`no service ${name} in compose.yaml`)
    return found
  }

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (!missing) file = await readComposeFile()
  })

  it('defines every service of the stack', () => {
    expect(Object.keys(file.services)).toEqual(
      expect.arrayContaining([
        'api',
        'egress',
        'model-gateway',
        'notifier',
        'opencode',
        'postgres',
        'valkey',
        'worker',
      ]),
    )
  })

  it.each(Object.keys(RULES))('gives every service %s', (rule) => {
    const without = Object.entries(file.services).filter(([, each]) => brokenRules(each).includes(rule))
    expect(without.map(([name]) => name)).toEqual([])
  })

  it("follows the same rules with the profile docker, where only the filter mounts the engine's socket", async () => {
    const whole = await readComposeFile({ COMPOSE_PROFILES: 'docker', ANTHROPIC_API_KEY: 'a-provider-key-of-mine' })
    expect(Object.keys(whole.services)).toEqual(expect.arrayContaining(['docker-filter', 'egress']))
    const broken = Object.entries(whole.services).filter(([, each]) => brokenRules(each).length > 0)
    expect(broken.map(([name, each]) => [name, ...brokenRules(each)])).toEqual([])
    const withSocket = Object.entries(whole.services).filter(([, { volumes = [] }]) =>
      volumes.some((mount) => mount.source === '/var/run/docker.sock'),
    )
    expect(withSocket.map(([name]) => name)).toEqual(['docker-filter'])
    expect(servicesWith(whole, 'a-provider-key-of-mine')).toEqual(['docker-filter', 'model-gateway'])
    expect(servicesMounting(whole, 'docker-socket')).toEqual(['docker-filter', 'worker'])
    expect(whole.networks.runner?.internal).toBe(true)
    const inRunner = Object.entries(whole.services).filter(([, each]) => networksOf(each).includes('runner'))
    expect(inRunner.map(([name]) => name)).toEqual(['egress'])
    const inAgent = Object.entries(whole.services).filter(([, each]) => networksOf(each).includes('agent'))
    expect(inAgent.map(([name]) => name).sort()).toEqual(['egress', 'model-gateway', 'opencode', 'worker'])
    expect(networksOf(whole.services.egress ?? {})).toEqual(expect.not.arrayContaining(['data', 'public']))
  })

  it('is checked by rules that a careless service breaks', () => {
    expect(brokenRules({ privileged: true, container_name: 'x', pid: 'host' })).toEqual(Object.keys(RULES))
  })

  it('publishes only the api, on loopback', () => {
    const ports = Object.entries(file.services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => ({ name, host_ip: port.host_ip, published: port.published, target: port.target })),
    )
    expect(ports).toEqual([{ name: 'api', host_ip: '127.0.0.1', published: '3456', target: 3456 }])
  })

  it('publishes the port in PORT', async () => {
    const other = await readComposeFile({ PORT: '4567' })
    expect(other.services.api?.ports?.[0]).toMatchObject({ host_ip: '127.0.0.1', published: '4567', target: 3456 })
    expect(other.services.api?.environment?.PORT).toBe('3456')
  })

  it('shares no network of OpenCode with the stores, the api and the notifier', () => {
    const ofOpenCode = networksOf(service('opencode'))
    for (const name of ['postgres', 'valkey', 'api', 'notifier'])
      expect(networksOf(service(name)).filter((network) => ofOpenCode.includes(network))).toEqual([])
    expect(networksOf(service('worker'))).toEqual(expect.arrayContaining([...ofOpenCode]))
  })

  it('gives the stores and OpenCode no route to the internet', () => {
    for (const name of ['postgres', 'valkey', 'opencode'])
      for (const network of networksOf(service(name))) expect(file.networks[network]?.internal).toBe(true)
  })

  it("mounts neither the stores' passwords nor the worker's state in OpenCode", () => {
    expect(servicesMounting(file, 'data-secrets')).toEqual([
      'api',
      'model-gateway',
      'notifier',
      'postgres',
      'secrets',
      'valkey',
      'worker',
    ])
    expect(servicesMounting(file, 'opencode-secrets')).toEqual(['opencode', 'secrets', 'worker'])
    expect(servicesMounting(file, 'gateway-secrets')).toEqual(['model-gateway', 'opencode', 'secrets'])
    expect(servicesMounting(file, 'worker-state')).toEqual(['worker'])
    // OpenCode writes reports, and only the worker reads them.
    expect(servicesMounting(file, 'opencode-report')).toEqual(['opencode', 'worker'])
    expect(service('worker').volumes?.find(({ source }) => source === 'opencode-report')?.read_only).toBe(true)
    for (const [name, { volumes = [] }] of Object.entries(file.services))
      for (const volume of volumes.filter(({ source }) => source?.endsWith('-secrets')))
        expect(`${name} ${volume.read_only === true ? 'reads' : 'writes'}`).toBe(
          `${name} ${name === 'secrets' ? 'writes' : 'reads'}`,
        )
  })

  it('mounts the working directories at the same path in opencode and the worker only', () => {
    expect(servicesMounting(file, 'workspaces')).toEqual(['opencode', 'worker'])
    const mounts = ['opencode', 'worker'].map((name) =>
      service(name).volumes?.find(({ source }) => source === 'workspaces'),
    )
    expect(mounts).toMatchObject([{ target: '/workspaces' }, { target: '/workspaces' }])
    const withVariable = Object.entries(file.services).filter(
      ([, { environment = {} }]) => 'WORKSPACES_DIR' in environment,
    )
    expect(withVariable.map(([name]) => name)).toEqual(['worker'])
  })

  it("mounts only OpenCode's configuration and git's certificates from the host, read-only", async () => {
    const binds = Object.entries(file.services).flatMap(([name, { volumes = [] }]) =>
      volumes.filter(({ type }) => type === 'bind').map(({ target, read_only }) => ({ name, target, read_only })),
    )
    expect(binds).toEqual([
      { name: 'model-gateway', target: '/etc/switchyard/opencode.json', read_only: true },
      { name: 'worker', target: '/etc/switchyard/git-ca.pem', read_only: true },
    ])
    const sourceIn = ({ services }: typeof file) =>
      services.worker?.volumes?.find(({ type }) => type === 'bind')?.source
    expect(sourceIn(file)).toBe('/dev/null')
    expect(sourceIn(await readComposeFile({ GIT_CA_FILE: '/srv/ca.pem' }))).toBe('/srv/ca.pem')
  })

  it("passes the user's OpenCode configuration to OpenCode", async () => {
    const other = await readComposeFile({
      OPENCODE_CONFIG_FILE: '/srv/opencode.json',
      OPENCODE_CONFIG_CONTENT: '{"a":1}',
    })
    expect(other.services['model-gateway']?.volumes?.find(({ type }) => type === 'bind')?.source).toBe(
      '/srv/opencode.json',
    )
    expect(other.services['model-gateway']?.environment?.OPENCODE_CONFIG_CONTENT).toBe('{"a":1}')
  })

  it.each(PROVIDER_VARIABLES)('passes %s to the model gateway and to no other service', async (name) => {
    expect(servicesWith(await readComposeFile({ [name]: 'a-provider-key-of-mine' }), 'a-provider-key-of-mine')).toEqual(
      ['model-gateway'],
    )
  })

  it.each([
    ['SWITCHYARD_API_KEYS', ['api']],
    ['DATABASE_URL', ['api', 'model-gateway', 'notifier', 'worker']],
    ['REDIS_URL', ['api', 'notifier', 'worker']],
    ['WEBHOOK_SECRET', ['notifier']],
    ['GIT_HTTPS_TOKENS', ['worker']],
    ['LETTA_API_TOKEN', ['notifier']],
    ['MATRIX_ACCESS_TOKEN', ['notifier']],
    ['OPENCODE_SERVER_PASSWORD', ['opencode', 'worker']],
    ['HTTPS_PROXY', ['egress', 'model-gateway', 'worker']],
  ])('passes %s to %j and to no other service', async (name, services) => {
    expect(servicesWith(await readComposeFile({ [name]: 'a-secret-of-mine' }), 'a-secret-of-mine')).toEqual(services)
  })

  it('omits variables that are not set instead of passing empty ones', () => {
    for (const { environment = {} } of Object.values(file.services))
      for (const [name, value] of Object.entries(environment)) expect(`${name}=${value}`).not.toBe(`${name}=`)
  })

  it('contains no secret', () => {
    const secrets = Object.entries(file.services).flatMap(([service, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([name, value]) => SECRET_NAME.test(name) && value !== null)
        .map(([name]) => `${service}: ${name}`),
    )
    expect(secrets).toEqual([])
  })

  it('pins OpenCode to the version that the tests use', async () => {
    const manifest = JSON.parse(await readFile(path.join(REPOSITORY, 'packages/opencode/package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    const version = manifest.dependencies['opencode-ai']
    expect(service('opencode').image).toBe(`switchyard/opencode:${version}`)
    expect(await readFile(path.join(REPOSITORY, 'Dockerfile.opencode'), 'utf8')).toContain(
      `ARG OPENCODE_VERSION=${version}\n`,
    )
  })

  it('reads every variable in .env.example', async () => {
    const example = await readFile(path.join(REPOSITORY, '.env.example'), 'utf8')
    const config = await readFile(path.join(REPOSITORY, 'packages/config/src/config.ts'), 'utf8')
    const source = await readFile(path.join(REPOSITORY, 'compose.yaml'), 'utf8')
    const named = [...example.matchAll(/^#([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name ?? '')
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter((name) => !new RegExp(`\\b${name}\\b`).test(config + source))).toEqual([])
  })

  it('lists every variable that it reads in .env.example, except those of further providers', async () => {
    const example = await readFile(path.join(REPOSITORY, '.env.example'), 'utf8')
    const source = await readFile(path.join(REPOSITORY, 'compose.yaml'), 'utf8')
    const read = [
      ...[...source.matchAll(/\$\{(\w+)/g)].map(([, name]) => name ?? ''),
      ...['api', 'notifier', 'worker'].flatMap((name) =>
        Object.entries(service(name).environment ?? {}).flatMap(([variable, value]) =>
          value === null ? [variable] : [],
        ),
      ),
      ...PROVIDER_VARIABLES,
    ]
    expect([...new Set(read)].filter((name) => !new RegExp(`^#${name}=`, 'm').test(example))).toEqual([])
  })
})

describe('the second pool of OpenCode servers', () => {
  let file: ComposeFile

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (!missing) file = await readComposeFile({ COMPOSE_PROFILES: 'green', OPENCODE_GREEN_VERSION: '9.8.7' })
  })

  it('follows every rule of the first pool', () => {
    for (const name of ['opencode-green', 'worker-green'])
      expect([name, brokenRules(file.services[name] ?? {})]).toEqual([name, []])
    expect(networksOf(file.services['opencode-green'] ?? {})).toEqual(['agent'])
  })

  it('has a separate version, session storage and workers', () => {
    const { 'opencode-green': server, 'worker-green': worker } = file.services
    expect(server?.image).toBe('switchyard/opencode-green:9.8.7')
    expect(server?.volumes?.find(({ target }) => target === '/home/node')?.source).toBe('opencode-green-home')
    for (const each of [server, worker])
      expect(each?.volumes?.find(({ target }) => target === '/run/switchyard/report')?.source).toBe(
        'opencode-green-report',
      )
    expect(worker?.environment).toMatchObject({
      OPENCODE_POOL: 'green',
      OPENCODE_SERVER_URL: 'http://opencode-green:4096',
    })
    // Compose labels an image with its service. If two services shared one, building it would
    // restart the other.
    const images = Object.values(file.services).map(({ image }) => image)
    expect(new Set(images).size).toBe(images.length)
  })
})

describe.each(['Dockerfile', 'Dockerfile.opencode'])('%s', (name) => {
  const lines = async (): Promise<readonly string[]> =>
    (await readFile(path.join(REPOSITORY, name), 'utf8')).replaceAll(/\\\n/g, ' ').split('\n')

  it('has no secret as ARG or ENV', async () => {
    const names = (await lines())
      .filter((line) => /^(ARG|ENV)\s/.test(line))
      .flatMap((line) => [...line.matchAll(/\b([A-Z][A-Z0-9_]*)(?:=|$)/g)].map(([, variable]) => variable ?? ''))
    expect(names.filter((variable) => SECRET_NAME.test(variable))).toEqual([])
  })

  it('runs every image as an unprivileged user', async () => {
    const stages: { name: string; base: string; user: string | undefined; command: boolean }[] = []
    for (const line of await lines()) {
      const from = /^FROM (\S+)(?: AS (\S+))?/.exec(line)
      if (from) stages.push({ name: from[2] ?? 'last', base: from[1] ?? '', user: undefined, command: false })
      const stage = stages.at(-1)
      if (!stage) continue
      stage.user = /^USER (\S+)/.exec(line)?.[1] ?? stage.user
      stage.command ||= /^(CMD|ENTRYPOINT) /.test(line)
    }
    const images = stages.filter(({ command }) => command)
    expect(images.length).toBeGreaterThan(0)
    expect(images.filter(({ user }) => user !== '1000:1000').map((stage) => stage.name)).toEqual([])
  })

  it('builds on exact tags', async () => {
    const external = (await lines()).flatMap((line) => /^FROM (\S+:\S+)/.exec(line)?.[1] ?? [])
    expect(external.length).toBeGreaterThan(0)
    expect(external.filter((image) => !/:\d/.test(image))).toEqual([])
  })
})
