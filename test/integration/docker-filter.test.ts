// The filter in front of the Docker socket: what a worker needs goes through, on the real engine, and nothing else does.

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newTaskId, newWorkerId } from '@switchyard/contracts'
import {
  connectEngine,
  createBody,
  createHolderBody,
  createServerBody,
  type OutputLine,
  Runner,
  type RunnerSettings,
  ServerContainers,
  serverName,
  type Turn,
} from '@switchyard/docker'
import { engineAddress, Filter } from '@switchyard/docker-filter'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { docker, dockerMissing } from '../compose/docker.ts'

const missing = await dockerMissing('engine')

const IMAGE = 'debian:bookworm-slim'
const STACK = randomBytes(6).toString('hex')
const NETWORK = `switchyard-test-${STACK}`
const WAY = { network: NETWORK, proxy: 'http://egress:3128' }
const WORKER = newWorkerId()
const ENGINE = '/var/run/docker.sock'
const KEY = 'a-key-that-the-worker-does-not-have'
const LIMITS = { image: IMAGE, cpus: 1, memoryBytes: 268_435_456, pids: 64 }
const SERVER_BYTES = 536_870_912
const settings: RunnerSettings = { ...LIMITS, stack: STACK, user: '1000:1000', environment: {} }

/** What is different from a body as a worker makes it. */
type Edit = { readonly host?: object; readonly body?: object }

describe('the filter in front of the Docker socket', () => {
  let folder: string
  let socket: string
  let filter: Filter
  let other: string
  const logger = pino({ level: 'silent' })

  const turn = (): Turn => {
    const taskId = newTaskId()
    const promptId = `msg_${randomBytes(12).toString('hex')}`
    const root = path.join(folder, 'docker', taskId)
    return {
      taskId,
      generation: 1,
      promptId,
      root,
      directory: path.join(root, 'work'),
      home: path.join(root, 'home'),
      promptFile: path.join(root, 'prompts', `${promptId}.txt`),
      args: ['--title=x', '--auto'],
    }
  }

  const ask = (
    method: string,
    url: string,
    body?: unknown,
    socketPath = socket,
  ): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const sent = request({ socketPath, method, path: url, headers: { 'content-type': 'application/json' } })
      sent.once('error', reject)
      sent.once('response', (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }))
      })
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })

  const nameOf = (made: Turn) => `switchyard-${STACK}-${made.taskId}-${made.promptId}`.toLowerCase()

  const create = async (edit: Edit, name?: string) => {
    const made = turn()
    await mkdir(made.directory, { recursive: true })
    const ours = createBody(settings, made, WAY)
    const body = { ...ours, ...edit.body, HostConfig: { ...ours.HostConfig, ...edit.host } }
    return await ask('POST', `/containers/create?name=${name ?? nameOf(made)}`, body)
  }

  const makeFilter = (network: string, engine = ENGINE) =>
    new Filter({
      engine: engineAddress(`unix://${engine}`),
      source: { path: folder },
      policy: {
        settings: { ...LIMITS, user: settings.user, environment: { ANTHROPIC_API_KEY: KEY } },
        taskNetwork: { ...WAY, network },
        server: { network, memoryBytes: SERVER_BYTES },
        workspacesDir: folder,
      },
      logger,
    })

  type Further = {
    readonly live: () => Promise<ReadonlySet<string>>
    readonly namespaces?: number
    readonly network?: string
    readonly at?: string
  }

  const makeRunner = (workerId: string, { live, namespaces = 1, network = NETWORK, at = socket }: Further) =>
    new Runner({
      engine: connectEngine(`unix://${at}`),
      settings,
      runnerNetwork: { ...WAY, network },
      egress: { image: IMAGE, allow: [], deny: [] },
      exclusively: (work) => work(),
      workerId,
      liveWorkers: live,
      namespaces,
      logger,
    })

  const printed = async (runner: Runner, id: string): Promise<readonly string[]> => {
    const lines: OutputLine[] = []
    const signal = AbortSignal.timeout(50_000)
    for await (const line of runner.output(id, { follow: true, store: async () => undefined, signal })) lines.push(line)
    return lines.map(({ text }) => text)
  }

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (missing) return
    folder = await mkdtemp(path.join(tmpdir(), 'switchyard-test-filter-'))
    socket = path.join(folder, 'docker.sock')
    filter = makeFilter(NETWORK)
    await new Promise<void>((resolve) => filter.server.listen(socket, resolve))
    await docker(['network', 'create', '--internal', NETWORK])
    other = (await docker(['run', '--detach', '--entrypoint', 'sleep', IMAGE, '600'])).trim()
  })

  afterAll(async () => {
    if (missing) return
    const ids = (await docker(['ps', '--all', '--quiet', '--filter', `label=switchyard.stack=${STACK}`])).split('\n')
    await docker(['rm', '--force', other, ...ids.filter((id) => id !== '')])
    await docker(['network', 'rm', NETWORK])
    await filter.close()
    await rm(folder, { recursive: true, force: true })
  })

  it('lets a worker do its work, and gives the keys to the container alone', async () => {
    const runner = makeRunner(WORKER, { live: async () => new Set([WORKER]) })
    expect(await runner.version()).toMatch(/^\d/)
    await runner.requireImage()
    const made = turn()
    await mkdir(made.directory, { recursive: true })
    await mkdir(path.dirname(made.promptFile), { recursive: true })
    const id = await runner.start(made)
    // The engine ends the log of a container that ends at once before it has written it.
    await expect.poll(async () => (await printed(runner, id)).join('\n')).toMatch(/cannot open .*prompts/)
    // The log ends a moment before the engine says that the container has.
    const statuses = async () => (await runner.find(made.taskId)).map((container) => container.status)
    await expect.poll(statuses).toEqual(['ended'])
    expect(await runner.find()).toHaveLength(1)
    expect(await docker(['inspect', id, '-f', '{{.Config.Env}}'])).toContain(KEY)
    expect((await ask('GET', `/containers/${id}/json`)).text).not.toContain(KEY)
    await runner.remove(id)
    expect(await runner.find(made.taskId)).toEqual([])
  })

  const idOf = async (name: string) => (await docker(['inspect', name, '-f', '{{.Id}}'])).trim()
  const modeOf = async (id: string) => (await docker(['inspect', id, '-f', '{{.HostConfig.NetworkMode}}'])).trim()
  const holders = async () =>
    (
      await docker([
        'ps',
        '--quiet',
        '--no-trunc',
        '--filter',
        `label=switchyard.stack=${STACK}`,
        '--filter',
        'label=switchyard.namespace',
      ])
    )
      .split('\n')
      .filter((id) => id !== '')

  it('lets each container of a task join a network namespace in which no other is', async () => {
    let live: ReadonlySet<string> = new Set([WORKER])
    const make = (workerId: string) => makeRunner(workerId, { live: async () => live })
    const runner = make(WORKER)
    const begin = async () => {
      const made = turn()
      await mkdir(made.directory, { recursive: true })
      return await runner.start(made)
    }
    await runner.prepareNetwork()
    await runner.maintainNamespaces()
    const [holder] = await holders()
    expect(await docker(['inspect', holder ?? '', '-f', '{{json .Config.Env}} {{json .Mounts}}'])).not.toContain(KEY)

    const first = await begin()
    const second = await begin()
    expect([await modeOf(first), await modeOf(second)]).toEqual([`container:${holder}`, NETWORK])
    // In use although its container has ended; free once that is removed.
    await runner.maintainNamespaces()
    expect(await modeOf(await begin())).toBe(NETWORK)
    await runner.remove(first)
    const third = await begin()
    expect(await modeOf(third)).toBe(`container:${holder}`)

    // An engine that was restarted has ended it: the container that joined it is made anew.
    await runner.remove(third)
    await docker(['kill', holder ?? ''])
    expect(await modeOf(await begin())).toBe(NETWORK)
    await runner.maintainNamespaces()
    expect(await holders()).toEqual([expect.not.stringContaining(holder ?? '')])

    // The worker has gone without a word: the next one clears away what nobody is in.
    live = new Set()
    const other = make(newWorkerId())
    await other.maintainNamespaces()
    expect(await holders()).toEqual([])
  })

  it('admits no container in the network namespace of another, and no holder that could do anything', async () => {
    for (const id of [await idOf(other), other.slice(0, 12)])
      expect(await create({ host: { NetworkMode: `container:${id}` } })).toMatchObject({ status: 403 })
    const name = `switchyard-${STACK}-net-${randomBytes(8).toString('hex')}`
    const ours = createHolderBody(settings, WORKER, NETWORK)
    const ask403 = async (edit: Edit, as = name) => {
      const body = { ...ours, ...edit.body, HostConfig: { ...ours.HostConfig, ...edit.host } }
      expect(await ask('POST', `/containers/create?name=${as}`, body)).toMatchObject({
        status: 403,
        text: expect.stringContaining('not allowed'),
      })
    }
    for (const [, edit] of HOSTILE) await ask403(edit)
    await ask403({}, 'postgres')
    await ask403({ body: { Cmd: ['1'] } })
    await ask403({ host: { Mounts: [{ Type: 'bind', Source: '/etc', Target: '/etc' }] } })
  })

  const HOSTILE: readonly (readonly [string, Edit])[] = [
    ['another image', { body: { Image: 'alpine:3' } }],
    ['root', { body: { User: '0:0' } }],
    ['the image’s own user', { body: { User: undefined } }],
    ['another user', { body: { User: '1001:1000' } }],
    ['the group of the engine', { body: { User: '1000:999' } }],
    ['another program', { body: { Entrypoint: ['/bin/sh', '-c', 'id'] } }],
    ['an argument of its own', { body: { Cmd: ['--attach=http://host'] } }],
    ['privileges', { host: { Privileged: true } }],
    ['a capability', { host: { CapAdd: ['SYS_ADMIN'] } }],
    ['capabilities that stay', { host: { CapDrop: [] } }],
    ['new privileges', { host: { SecurityOpt: [] } }],
    ['no seccomp', { host: { SecurityOpt: ['no-new-privileges:true', 'seccomp=unconfined'] } }],
    ['a writable root', { host: { ReadonlyRootfs: false } }],
    ['the host’s processes', { host: { PidMode: 'host' } }],
    ['the host’s network', { host: { NetworkMode: 'host' } }],
    ['another network', { body: { NetworkingConfig: { EndpointsConfig: { bridge: {} } } } }],
    ['the host’s IPC', { host: { IpcMode: 'host' } }],
    ['the host’s users', { host: { UsernsMode: 'host' } }],
    ['the host’s cgroups', { host: { CgroupnsMode: 'host' } }],
    ['a device', { host: { Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/sda' }] } }],
    ['the root as a bind', { host: { Binds: ['/:/host'] } }],
    ['the socket as a mount', { host: { Mounts: [{ Type: 'bind', Source: '/var/run/docker.sock', Target: '/s' }] } }],
    ['the directory of all tasks', { host: { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/tmp' }] } }],
    ['the volumes of another', { host: { VolumesFrom: ['other'] } }],
    ['a port', { host: { PortBindings: { '80/tcp': [{ HostPort: '80' }] } } }],
    ['more memory', { host: { Memory: 0 } }],
    ['swap', { host: { MemorySwap: -1 } }],
    ['more processes', { host: { PidsLimit: -1 } }],
    ['another runtime', { host: { Runtime: 'other' } }],
    ['a cgroup of its choice', { host: { CgroupParent: '/' } }],
    ['an extra host', { host: { ExtraHosts: ['x:127.0.0.1'] } }],
    ['a restart by itself', { host: { RestartPolicy: { Name: 'always' } } }],
    ['a label of another', { body: { Labels: { 'com.docker.compose.project': 'x' } } }],
  ]

  it.each(HOSTILE)('admits no container with %s', async (_what, edit) => {
    const { status, text } = await create(edit)
    expect(text).toContain('not allowed')
    expect(status).toBe(403)
  })

  const projectServer = () => ({
    projectId: `proj_${randomBytes(13).toString('hex').toUpperCase()}`,
    password: randomBytes(24).toString('base64url'),
    model: 'some/model',
    environment: { MY_SETTING: 'yes' },
  })
  const serverSettings = () => ({
    ...settings,
    memoryBytes: SERVER_BYTES,
    network: NETWORK,
    workspacesDir: folder,
  })

  it('lets a worker have servers for projects, each with data of its own, and gives the keys to them alone', async () => {
    const containers = new ServerContainers(connectEngine(`unix://${socket}`), serverSettings())
    const server = projectServer()
    // This image has no OpenCode: it ends at once, which is all the same to the filter.
    const { id } = await containers.start(server)
    await expect.poll(async () => (await containers.find(server.projectId))?.isRunning).toBe(false)
    const env = await docker(['inspect', id, '-f', '{{json .Config.Env}}'])
    expect(env).toContain(KEY)
    expect(env).toContain('MY_SETTING=yes')
    expect(env).toContain('\\"model\\":\\"some/model\\"')
    expect(await docker(['inspect', id, '-f', '{{json .Args}}'])).not.toContain(server.password)
    expect((await ask('GET', `/containers/${id}/json`)).text).not.toContain(server.password)
    await containers.remove(id, 'stop')
    await containers.deleteData(server.projectId)
    await containers.deleteData(server.projectId)
    expect(await docker(['volume', 'ls', '--quiet'])).not.toContain(serverName(STACK, server.projectId))
  })

  it('admits a server with every password that a project’s server may be given, and hands it on as it is', async () => {
    const containers = new ServerContainers(connectEngine(`unix://${socket}`), serverSettings())
    const printable = String.fromCharCode(...Array.from({ length: 94 }, (_, at) => 33 + at)).replace(':', '')
    for (const password of ['S3cret!p', printable, 'x'.repeat(190)]) {
      const server = { ...projectServer(), password }
      const { id } = await containers.start(server)
      const env: string[] = JSON.parse(await docker(['inspect', id, '-f', '{{json .Config.Env}}']))
      expect(env).toContain(`OPENCODE_SERVER_PASSWORD=${password}`)
      await containers.remove(id, 'kill')
      await containers.deleteData(server.projectId)
    }
  })

  it.each([
    ...HOSTILE,
    ['the directories of another place', { host: { Mounts: [{ Type: 'bind', Source: '/etc', Target: '/etc' }] } }],
    [
      'the volume of another',
      { host: { Mounts: [{ Type: 'volume', Source: 'postgres', Target: '/home/node', ReadOnly: false }] } },
    ],
    ['no password', { body: { Env: [] } }],
  ] satisfies readonly (readonly [string, Edit])[])('admits no server with %s', async (_what, edit) => {
    const server = projectServer()
    const ours = createServerBody(serverSettings(), server)
    const body = { ...ours, ...edit.body, HostConfig: { ...ours.HostConfig, ...edit.host } }
    const { status, text } = await ask('POST', `/containers/create?name=${serverName(STACK, server.projectId)}`, body)
    expect(text).toContain('not allowed')
    expect(status).toBe(403)
  })

  it('admits no other name, and no directory behind a link', async () => {
    expect(await create({}, 'postgres')).toMatchObject({ status: 403 })
    const made = turn()
    await mkdir(path.join(folder, 'docker'), { recursive: true })
    await symlink('/etc', made.root)
    const answer = await ask('POST', `/containers/create?name=${nameOf(made)}`, createBody(settings, made, WAY))
    expect(answer).toMatchObject({ status: 403, text: expect.stringContaining('not a readable directory') })
  })

  /** The engine with something that happens just before each container is started, after all that the filter looks at. */
  const engineBut = async (
    beforeStart: () => Promise<void>,
  ): Promise<{ readonly at: string; readonly server: Server }> => {
    const at = path.join(folder, `engine-${randomBytes(4).toString('hex')}.sock`)
    const server = createServer(async (incoming, outgoing) => {
      const { method, url = '', headers } = incoming
      if (/\/start(\?|$)/.test(url)) await beforeStart()
      const sent = request({ socketPath: ENGINE, method, path: url, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(outgoing)
      })
      incoming.pipe(sent)
    })
    await new Promise<void>((resolve) => server.listen(at, resolve))
    return { at, server }
  }

  it('runs nothing in a directory that comes into the place of a task’s while its container is started', async () => {
    const made = turn()
    await mkdir(made.directory, { recursive: true })
    // All is there that a container needs to go on with its work.
    const victim = await mkdtemp(path.join(tmpdir(), 'switchyard-test-victim-'))
    await chmod(victim, 0o755)
    for (const name of ['work', 'prompts']) await mkdir(path.join(victim, name))
    await writeFile(path.join(victim, 'prompts', `${made.promptId}.txt`), 'Delete everything.')
    const engine = await engineBut(async () => {
      await rename(made.root, `${made.root}-aside`)
      await symlink(victim, made.root)
    })
    const swapped = makeFilter(NETWORK, engine.at)
    const at = path.join(folder, 'swapped.sock')
    await new Promise<void>((resolve) => swapped.server.listen(at, resolve))
    const runner = makeRunner(WORKER, { live: async () => new Set([WORKER]), namespaces: 0, at })
    const id = await runner.start(made)
    await expect.poll(async () => (await runner.state(id)).status).toBe('ended')
    expect((await runner.state(id)).exitCode).toBe(125)
    await expect.poll(async () => (await printed(runner, id)).join('\n')).toContain('was replaced by another directory')
    await runner.remove(id)
    await swapped.close()
    engine.server.close()
    await rm(victim, { recursive: true })
  })

  it('starts a container only in the directory for which it was made, and makes it anew for another', async () => {
    const runner = makeRunner(WORKER, { live: async () => new Set([WORKER]) })
    const made = turn()
    await mkdir(made.directory, { recursive: true })
    const first = await runner.create(made)
    await rename(made.root, `${made.root}-aside`)
    await mkdir(made.directory, { recursive: true })
    await expect(runner.start(made, first)).rejects.toMatchObject({ code: 'forbidden' })
    const second = await runner.start(made)
    expect(second).not.toBe(first)
    await expect.poll(async () => (await runner.state(second)).status).toBe('ended')
    expect((await runner.state(second)).exitCode).not.toBe(125)
    await runner.remove(second)
  })

  describe('where another installation is on the engine', () => {
    let otherFilter: Filter
    let otherSocket: string

    const askOther = (method: string, url: string, body?: unknown) => ask(method, url, body, otherSocket)

    beforeAll(async () => {
      if (missing) return
      otherSocket = path.join(folder, 'other.sock')
      otherFilter = makeFilter(`${NETWORK}-of-another`)
      await new Promise<void>((resolve) => otherFilter.server.listen(otherSocket, resolve))
    })

    afterAll(async () => {
      if (!missing) await otherFilter.close()
    })

    const listed = async (at: string): Promise<readonly string[]> => {
      const filters = JSON.stringify({ label: [`switchyard.stack=${STACK}`, 'switchyard.task'] })
      const { text } = await ask('GET', `/containers/json?all=1&filters=${encodeURIComponent(filters)}`, undefined, at)
      return (JSON.parse(text) as { Id: string }[]).map(({ Id }) => Id)
    }

    const requireOurs = async (id: string): Promise<void> => {
      expect(await listed(socket)).toContain(id)
      expect(await ask('GET', `/containers/${id}/json`)).toMatchObject({ status: 200 })
      expect(await listed(otherSocket)).toEqual([])
      for (const [method, what] of [
        ['GET', '/json'],
        ['GET', '/logs?stdout=1'],
        ['POST', '/start'],
        ['POST', '/stop'],
        ['DELETE', '?force=1'],
      ] as const)
        expect(await askOther(method, `/containers/${id}${what}`)).toMatchObject({ status: 403 })
    }

    it('shows containers of tasks to their own installation alone, and lets nobody else join their namespaces', async () => {
      const runner = makeRunner(WORKER, { live: async () => new Set([WORKER]) })
      await runner.prepareNetwork()
      await runner.maintainNamespaces()
      const made = turn()
      await mkdir(made.directory, { recursive: true })
      const id = await runner.create(made)
      await requireOurs(id)
      const [holder = ''] = await holders()
      expect(await modeOf(id)).toBe(`container:${holder}`)
      const theirs = turn()
      await mkdir(theirs.directory, { recursive: true })
      const joining = createBody(settings, theirs, { ...WAY, network: `container:${holder}` })
      expect(await askOther('POST', `/containers/create?name=${nameOf(theirs)}`, joining)).toMatchObject({
        status: 403,
      })
      await runner.remove(id)
      await runner.close()
    })

    it('knows containers without its mark, made before there was one, by the network that they are in', async () => {
      const run = async (network: string, kind: string) => {
        const labels = ['--label', `switchyard.stack=${STACK}`, '--label', `switchyard.${kind}=x`]
        return (await docker(['run', '--detach', '--network', network, ...labels, IMAGE, 'sleep', '600'])).trim()
      }
      const holder = await run(NETWORK, 'namespace')
      const [plain, joined] = [await run(NETWORK, 'task'), await run(`container:${holder}`, 'task')]
      for (const id of [plain, joined]) await requireOurs(id)
      await docker(['rm', '--force', plain, joined, holder])
    })

    it('gives nobody the data of its projects’ servers', async () => {
      const containers = new ServerContainers(connectEngine(`unix://${socket}`), serverSettings())
      const server = projectServer()
      const name = serverName(STACK, server.projectId)
      const { id } = await containers.start(server)
      await containers.remove(id, 'kill')
      expect(await askOther('DELETE', `/volumes/${name}`)).toMatchObject({ status: 403 })
      const body = createServerBody({ ...serverSettings(), network: `${NETWORK}-of-another` }, server)
      expect(await askOther('POST', `/containers/create?name=${name}`, body)).toMatchObject({
        status: 403,
        text: expect.stringContaining('another installation'),
      })
      await containers.deleteData(server.projectId)
      expect(await docker(['volume', 'ls', '--quiet'])).not.toContain(name)
    })

    it('goes on with the data of a server from before there were marks', async () => {
      const containers = new ServerContainers(connectEngine(`unix://${socket}`), serverSettings())
      const server = projectServer()
      const name = serverName(STACK, server.projectId)
      await docker(['volume', 'create', name])
      const { id } = await containers.start(server)
      expect(await docker(['inspect', id, '-f', '{{json .Mounts}}'])).toContain(name)
      await containers.remove(id, 'kill')
      await containers.deleteData(server.projectId)
      expect(await docker(['volume', 'ls', '--quiet'])).not.toContain(name)
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
    ['GET', '/containers/{other}/stats?stream=false'],
    ['POST', '/containers/prune'],
    ['POST', '/v1.41/containers/{other}/exec'],
    ['POST', '/exec/x/start'],
    ['POST', '/containers/{other}/stop'],
    ['POST', '/containers/{other}/attach'],
    ['GET', '/containers/{other}/logs?stdout=1'],
    ['GET', '/containers/{other}/json'],
    ['GET', '/containers/{other}/archive?path=/etc'],
    ['PUT', '/containers/{other}/archive?path=/etc'],
    ['GET', '/containers/..%2f..%2finfo/json'],
    ['DELETE', '/containers/{other}?force=1'],
    ['POST', '/containers/{other}/update'],
  ])('admits no %s %s', async (method, url) => {
    const { status } = await ask(method, url.replace('{other}', other), /^P/.test(method) ? {} : undefined)
    expect(status).toBe(403)
  })

  it.each(['//[', 'http://a:b:c/', '/containers/json?filters=[', '/containers/json?filters=null'])(
    'refuses %s, and goes on',
    async (url) => {
      expect(await ask('GET', url)).toMatchObject({ status: 403, text: expect.stringContaining('not allowed') })
      expect(await ask('GET', '/version')).toMatchObject({ status: 200 })
    },
  )

  it('goes on when a caller that wants to take its connection over hangs up', async () => {
    const caller = connect(socket)
    const upgrade = 'POST /exec/x/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'
    await new Promise<void>((resolve) => caller.write(upgrade, () => resolve()))
    caller.destroy()
    expect(await ask('GET', '/version')).toMatchObject({ status: 200 })
  })

  it('takes the namespaces with it in which nobody is when it ends, also those that are being made', async () => {
    const network = `${NETWORK}-ending`
    await docker(['network', 'create', '--internal', network])
    const inNetwork = async () => {
      const ids = await docker(['ps', '--all', '--quiet', '--no-trunc', '--filter', `network=${network}`])
      return ids.split('\n').filter((id) => id !== '')
    }
    const at = path.join(folder, 'ending.sock')
    const ending = makeFilter(network)
    await new Promise<void>((resolve) => ending.server.listen(at, resolve))
    const [one, two] = [newWorkerId(), newWorkerId()]
    const further = { live: async () => new Set([one, two]), network, at }
    const runner = makeRunner(one, further)
    await runner.prepareNetwork()
    await runner.maintainNamespaces()
    const made = turn()
    await mkdir(made.directory, { recursive: true })
    const task = await runner.start(made)
    const used = (await modeOf(task)).replace('container:', '')
    expect(await inNetwork()).toEqual([used])

    const busy = makeRunner(two, { ...further, namespaces: 16 })
    await busy.prepareNetwork()
    const tending = busy.maintainNamespaces()
    await expect.poll(async () => (await inNetwork()).length, { interval: 20 }).toBeGreaterThan(3)
    await ending.close()
    await tending
    expect(await inNetwork()).toEqual([used])
    await docker(['rm', '--force', task, used])
    await docker(['network', 'rm', network])
  })
})
