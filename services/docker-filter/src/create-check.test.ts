import { createBody, createHolderBody, createServerBody, serverName, type Turn } from '@switchyard/docker'
import { describe, expect, it } from 'vitest'
import { checkCreate, type Policy } from './create-check.ts'
import { NotAllowed } from './not-allowed.ts'

const STACK = 'a1b2c3d4e5f6'
const TASK = `task_${'0'.repeat(26)}`
const PROMPT = 'msg_0123456789ab'
const WORKER = `worker_${'0'.repeat(26)}`
const HOLDER = 'f'.repeat(64)
const KEY = 'a-key-of-the-provider'
const WORKSPACES = '/workspaces'
const NETWORK = { network: 'runners', proxy: 'http://egress:3128' }
const LIMITS = { image: 'opencode:1', user: '1000:1000', cpus: 1, memoryBytes: 268_435_456, pids: 64 }
const SERVER = { network: 'servers', memoryBytes: 536_870_912 }

const policy: Policy = {
  settings: { ...LIMITS, environment: { ANTHROPIC_API_KEY: KEY } },
  taskNetwork: NETWORK,
  server: SERVER,
  workspacesDir: WORKSPACES,
}
/** The worker's settings: it does not have the keys. */
const settings = { ...LIMITS, stack: STACK, environment: {} }

const turn: Turn = {
  taskId: TASK,
  generation: 1,
  promptId: PROMPT,
  root: `/workspaces/docker/${TASK}`,
  directory: `/workspaces/docker/${TASK}/work`,
  home: `/workspaces/docker/${TASK}/home`,
  promptFile: `/workspaces/docker/${TASK}/prompts/${PROMPT}.txt`,
  args: ['--title=x', '--auto'],
}

type Body = ReturnType<typeof createBody>
/** How a body differs from what a worker sends. */
type Edit = { readonly body?: object; readonly host?: object }

/** As the engine's client sends it: without fields that are undefined. */
const edited = (body: Body, edit: Edit): unknown =>
  JSON.parse(JSON.stringify({ ...body, ...edit.body, HostConfig: { ...body.HostConfig, ...edit.host } }))

const HOSTILE: readonly (readonly [string, Edit])[] = [
  ['Image', { body: { Image: 'alpine:3' } }],
  ['User', { body: { User: '0:0' } }],
  ['User', { body: { User: undefined } }],
  ['Entrypoint', { body: { Entrypoint: ['/bin/sh', '-c', 'id'] } }],
  ['Healthcheck', { body: { Healthcheck: { Test: ['CMD', 'id'] } } }],
  ['NetworkingConfig', { body: { NetworkingConfig: { EndpointsConfig: { bridge: {} } } } }],
  ['HostConfig.Privileged', { host: { Privileged: true } }],
  ['HostConfig.CapAdd', { host: { CapAdd: ['SYS_ADMIN'] } }],
  ['HostConfig.CapDrop', { host: { CapDrop: [] } }],
  ['HostConfig.SecurityOpt', { host: { SecurityOpt: [] } }],
  ['HostConfig.ReadonlyRootfs', { host: { ReadonlyRootfs: false } }],
  ['HostConfig.PidMode', { host: { PidMode: 'host' } }],
  ['HostConfig.NetworkMode', { host: { NetworkMode: 'host' } }],
  ['HostConfig.NetworkMode', { host: { NetworkMode: 'container:postgres' } }],
  ['HostConfig.NetworkMode', { host: { NetworkMode: `container:${HOLDER.slice(0, 12)}` } }],
  ['HostConfig.Binds', { host: { Binds: ['/:/host'] } }],
  ['HostConfig.Mounts', { host: { Mounts: [{ Type: 'bind', Source: '/etc', Target: '/etc' }] } }],
  ['HostConfig.Devices', { host: { Devices: [{ PathOnHost: '/dev/sda' }] } }],
  ['HostConfig.PortBindings', { host: { PortBindings: { '80/tcp': [{ HostPort: '80' }] } } }],
  ['HostConfig.Memory', { host: { Memory: 0 } }],
  ['HostConfig.PidsLimit', { host: { PidsLimit: -1 } }],
  ['HostConfig.RestartPolicy', { host: { RestartPolicy: { Name: 'always' } } }],
]

describe('checkCreate for a task', () => {
  const NAME = `switchyard-${STACK}-${TASK}-${PROMPT}`.toLowerCase()
  const check = (edit: Edit = {}, name: string | null = NAME) =>
    checkCreate(policy, name, edited(createBody(settings, turn, NETWORK), edit))

  it("returns the worker's body with the filter's own environment", () => {
    const { body, root, taskId, joins } = check()
    expect({ root, taskId, joins }).toEqual({ root: turn.root, taskId: TASK, joins: undefined })
    expect(body.Env).toContain(`ANTHROPIC_API_KEY=${KEY}`)
    expect(body.Cmd).toEqual(turn.args)
  })

  it('passes the permissions of the task on, and drops every other variable', () => {
    const { body } = check({ body: { Env: ['OPENCODE_PERMISSION={"bash":"ask"}', 'LD_PRELOAD=/x', 'HTTP_PROXY=x'] } })
    expect(body.Env).toContain('OPENCODE_PERMISSION={"bash":"ask"}')
    expect(body.Env).toContain(`HTTP_PROXY=${NETWORK.proxy}`)
    expect(body.Env?.join()).not.toContain('LD_PRELOAD')
  })

  it('returns the container whose network namespace is joined', () => {
    const { body, joins } = check({ host: { NetworkMode: `container:${HOLDER}` } })
    expect(joins).toBe(HOLDER)
    expect(body.HostConfig?.NetworkMode).toBe(`container:${HOLDER}`)
  })

  it.each(HOSTILE)('refuses another %s: %j', (field, edit) => {
    expect(() => check(edit)).toThrow(NotAllowed)
    expect(() => check(edit)).toThrow(field)
  })

  it.each([[['--attach=http://host']], [['--title=a\0b']], [['rm']], [Array.from({ length: 11 }, () => '--auto')]])(
    'refuses the arguments %j',
    (Cmd) => {
      expect(() => check({ body: { Cmd } })).toThrow(NotAllowed)
    },
  )

  it.each([
    ['a label of Compose', { 'com.docker.compose.project': 'x' }],
    ['an unknown label', { 'traefik.enable': 'true' }],
    ['the label that marks an installation', { 'switchyard.network': 'other' }],
    ['a task id that leaves the directory', { 'switchyard.task': '../../etc' }],
    ['a prompt id that leaves the directory', { 'switchyard.prompt': '../x' }],
  ])('refuses %s', (_what, label) => {
    const { Labels } = createBody(settings, turn, NETWORK)
    expect(() => check({ body: { Labels: { ...Labels, ...label } } })).toThrow(NotAllowed)
  })

  it.each([null, 'postgres', NAME.toUpperCase(), `${NAME}-2`])('refuses the name %s', (name) => {
    expect(() => check({}, name)).toThrow('the name does not match the labels')
  })

  it.each([undefined, null, 1, [], 'x', {}])('refuses %j as a body', (body) => {
    expect(() => checkCreate(policy, NAME, body)).toThrow(NotAllowed)
  })
})

describe('checkCreate for a project server', () => {
  const projectId = `proj_${'0'.repeat(26)}`
  const NAME = serverName(STACK, projectId)
  const project = {
    projectId,
    password: 'a-password-of-the-server',
    model: 'some/model',
    environment: { MY_SETTING: 'yes' },
  }
  const serverSettings = { ...settings, ...SERVER, proxy: NETWORK.proxy, workspacesDir: WORKSPACES }
  const check = (edit: Edit = {}, name = NAME, rules = policy) =>
    checkCreate(rules, name, edited(createServerBody(serverSettings, project), edit))

  it('returns the body with password, model and variables of the project and the keys of the filter', () => {
    const { body, root } = check()
    expect(root).toBe(WORKSPACES)
    for (const entry of [`OPENCODE_SERVER_PASSWORD=${project.password}`, 'MY_SETTING=yes', `ANTHROPIC_API_KEY=${KEY}`])
      expect(body.Env).toContain(entry)
  })

  it('sets the egress proxy, whatever the worker or the project sets', () => {
    const environment = { HTTPS_PROXY: 'http://elsewhere:1' }
    const given = createServerBody({ ...serverSettings, proxy: 'http://elsewhere:2' }, { ...project, environment })
    const { body } = checkCreate(policy, NAME, edited(given, {}))
    expect(body.Env?.filter((entry) => entry.startsWith('HTTPS_PROXY='))).toEqual([`HTTPS_PROXY=${NETWORK.proxy}`])
  })

  it.each(HOSTILE)('refuses another %s: %j', (_field, edit) => {
    expect(() => check(edit)).toThrow(NotAllowed)
  })

  it('refuses the volume of another server', () => {
    const { HostConfig } = createServerBody(serverSettings, project)
    const [bind, volume] = HostConfig?.Mounts ?? []
    expect(() => check({ host: { Mounts: [bind, { ...volume, Source: 'postgres' }] } })).toThrow('HostConfig.Mounts')
  })

  it('refuses a server without a valid password, or with another name', () => {
    expect(() => check({ body: { Env: [] } })).toThrow('the server has no valid password')
    expect(() => check({ body: { Env: ['OPENCODE_SERVER_PASSWORD=a:b'] } })).toThrow('the server has no valid password')
    expect(() => check({}, serverName(STACK, `proj_${'1'.repeat(26)}`))).toThrow('the name does not match the labels')
  })

  it('refuses every server where projects have none in containers', () => {
    expect(() => check({}, NAME, { ...policy, server: undefined })).toThrow('does not run project servers')
  })
})

describe('checkCreate for a network namespace', () => {
  const NAME = `switchyard-${STACK}-net-${'0'.repeat(16)}`
  const check = (edit: Edit = {}, name: string | null = NAME) =>
    checkCreate(policy, name, edited(createHolderBody(settings, WORKER, NETWORK.network), edit))

  it('returns a body without mounts and keys', () => {
    const { body, root } = check()
    expect(root).toBeNull()
    expect(JSON.stringify(body)).not.toContain(KEY)
    expect(body.HostConfig?.NetworkMode).toBe(NETWORK.network)
  })

  it.each([...HOSTILE, ['Cmd', { body: { Cmd: ['1'] } }] as const])('refuses another %s: %j', (_field, edit) => {
    expect(() => check(edit)).toThrow(NotAllowed)
  })

  it.each([null, 'postgres', `switchyard-${'0'.repeat(12)}-net-${'0'.repeat(16)}`])('refuses the name %s', (name) => {
    expect(() => check({}, name)).toThrow('the name does not match the labels')
  })
})
