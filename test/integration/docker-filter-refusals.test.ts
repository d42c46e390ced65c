// What the filter in front of the Docker socket refuses, with the real engine behind it.

import { randomBytes } from 'node:crypto'
import { mkdir, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { createBody, createHolderBody, createServerBody, serverName } from '@switchyard/docker'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { dockerMissing } from '../compose/docker.ts'
import { type BodyChange, changed, type FilterFixture, inspectId, openFilter } from './docker-filter.fixture.ts'

const missing = await dockerMissing('engine')

/** Changes that no container may have. */
const REFUSED: readonly (readonly [string, BodyChange])[] = [
  ['another image', { body: { Image: 'alpine:3' } }],
  ['root', { body: { User: '0:0' } }],
  ["the image's own user", { body: { User: undefined } }],
  ['another user', { body: { User: '1001:1000' } }],
  ["the engine's group", { body: { User: '1000:999' } }],
  ['another program', { body: { Entrypoint: ['/bin/sh', '-c', 'id'] } }],
  ['another argument', { body: { Cmd: ['--attach=http://host'] } }],
  ['privileges', { host: { Privileged: true } }],
  ['an added capability', { host: { CapAdd: ['SYS_ADMIN'] } }],
  ['the default capabilities', { host: { CapDrop: [] } }],
  ['new privileges', { host: { SecurityOpt: [] } }],
  ['no seccomp', { host: { SecurityOpt: ['no-new-privileges:true', 'seccomp=unconfined'] } }],
  ['a writable root', { host: { ReadonlyRootfs: false } }],
  ["the host's processes", { host: { PidMode: 'host' } }],
  ["the host's network", { host: { NetworkMode: 'host' } }],
  ['another network', { body: { NetworkingConfig: { EndpointsConfig: { bridge: {} } } } }],
  ["the host's IPC", { host: { IpcMode: 'host' } }],
  ["the host's users", { host: { UsernsMode: 'host' } }],
  ["the host's cgroups", { host: { CgroupnsMode: 'host' } }],
  ['a device', { host: { Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/sda' }] } }],
  ['the root as a bind mount', { host: { Binds: ['/:/host'] } }],
  ['the socket as a mount', { host: { Mounts: [{ Type: 'bind', Source: '/var/run/docker.sock', Target: '/s' }] } }],
  ['the directory of all tasks', { host: { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/tmp' }] } }],
  ["another container's volumes", { host: { VolumesFrom: ['other'] } }],
  ['a port', { host: { PortBindings: { '80/tcp': [{ HostPort: '80' }] } } }],
  ['more memory', { host: { Memory: 0 } }],
  ['swap', { host: { MemorySwap: -1 } }],
  ['more processes', { host: { PidsLimit: -1 } }],
  ['another runtime', { host: { Runtime: 'other' } }],
  ['its own cgroup parent', { host: { CgroupParent: '/' } }],
  ['an extra host', { host: { ExtraHosts: ['x:127.0.0.1'] } }],
  ['a restart policy', { host: { RestartPolicy: { Name: 'always' } } }],
  ["another program's label", { body: { Labels: { 'com.docker.compose.project': 'x' } } }],
]

const NOT_ALLOWED = { status: 403, text: expect.stringContaining('not allowed') }

describe('the Docker filter', () => {
  let fixture: FilterFixture

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (!missing) fixture = await openFilter()
  })

  afterAll(() => fixture?.close())

  it.each(REFUSED)('refuses a container with %s', async (_what, change) => {
    expect(await fixture.createTask(change)).toMatchObject(NOT_ALLOWED)
  })

  it.each([
    ...REFUSED,
    ['directories outside the workspaces', { host: { Mounts: [{ Type: 'bind', Source: '/etc', Target: '/etc' }] } }],
    [
      'a foreign volume',
      { host: { Mounts: [{ Type: 'volume', Source: 'postgres', Target: '/home/node', ReadOnly: false }] } },
    ],
    ['no password', { body: { Env: [] } }],
  ] satisfies readonly (readonly [string, BodyChange])[])('refuses a project server with %s', async (_what, change) => {
    const server = fixture.projectServer()
    const body = changed(createServerBody(fixture.serverSettings, server), change)
    const url = fixture.createUrl(serverName(fixture.stack, server.projectId))
    expect(await fixture.send('POST', url, body)).toMatchObject(NOT_ALLOWED)
  })

  it("refuses a container in a foreign container's network namespace", async () => {
    for (const id of [await inspectId(fixture.foreign), fixture.foreign.slice(0, 12)])
      expect(await fixture.createTask({ host: { NetworkMode: `container:${id}` } })).toMatchObject({ status: 403 })
  })

  it('refuses a namespace holder that could do anything else', async () => {
    const holder = createHolderBody(fixture.settings, fixture.worker, fixture.network)
    const name = `switchyard-${fixture.stack}-net-${randomBytes(8).toString('hex')}`
    const create = (change: BodyChange, as = name) =>
      fixture.send('POST', fixture.createUrl(as), changed(holder, change))
    const changes = [
      ...REFUSED.map(([, change]) => change),
      { body: { Cmd: ['1'] } },
      { host: { Mounts: [{ Type: 'bind', Source: '/etc', Target: '/etc' }] } },
    ]
    for (const change of changes) expect(await create(change)).toMatchObject(NOT_ALLOWED)
    expect(await create({}, 'postgres')).toMatchObject(NOT_ALLOWED)
  })

  it('refuses a container with another name', async () => {
    expect(await fixture.createTask({}, 'postgres')).toMatchObject({ status: 403 })
  })

  it('refuses a task directory behind a link', async () => {
    const turn = await fixture.newTurn()
    await rm(turn.root, { recursive: true })
    await mkdir(path.dirname(turn.root), { recursive: true })
    await symlink('/etc', turn.root)
    const body = createBody(fixture.settings, turn, fixture.taskNetwork)
    expect(await fixture.send('POST', fixture.createUrl(fixture.nameOf(turn)), body)).toMatchObject({
      status: 403,
      text: expect.stringContaining('not a readable directory'),
    })
  })

  it.each([
    ['GET', '/containers/json?all=1'],
    ['GET', '/info'],
    ['GET', '/events'],
    ['GET', '/volumes'],
    ['GET', '/images/json'],
    ['GET', '/images/alpine/json'],
    ['POST', '/images/create?fromImage=alpine'],
    ['POST', '/build'],
    ['POST', '/networks/create'],
    ['POST', '/volumes/create'],
    ['DELETE', '/volumes/postgres'],
    ['GET', '/containers/{foreign}/stats?stream=false'],
    ['POST', '/containers/prune'],
    ['POST', '/v1.41/containers/{foreign}/exec'],
    ['POST', '/exec/x/start'],
    ['POST', '/containers/{foreign}/stop'],
    ['POST', '/containers/{foreign}/attach'],
    ['GET', '/containers/{foreign}/logs?stdout=1'],
    ['GET', '/containers/{foreign}/json'],
    ['GET', '/containers/{foreign}/archive?path=/etc'],
    ['PUT', '/containers/{foreign}/archive?path=/etc'],
    ['GET', '/containers/..%2f..%2finfo/json'],
    ['DELETE', '/containers/{foreign}?force=1'],
    ['POST', '/containers/{foreign}/update'],
  ])('refuses %s %s', async (method, url) => {
    const body = /^P/.test(method) ? {} : undefined
    const { status } = await fixture.send(method, url.replace('{foreign}', fixture.foreign), body)
    expect(status).toBe(403)
  })

  it.each(['//[', 'http://a:b:c/', '/containers/json?filters=[', '/containers/json?filters=null'])(
    'refuses the malformed request %s and keeps serving',
    async (url) => {
      expect(await fixture.send('GET', url)).toMatchObject(NOT_ALLOWED)
      expect(await fixture.send('GET', '/version')).toMatchObject({ status: 200 })
    },
  )
})
