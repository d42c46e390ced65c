// The filter in front of the Docker socket, on the real engine: everything that a worker needs passes.

import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newWorkerId } from '@switchyard/contracts'
import { serverName } from '@switchyard/docker'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { docker, dockerMissing } from '../compose/docker.ts'
import {
  ENGINE_SOCKET,
  type FilterFixture,
  inspectId,
  KEY,
  networkModeOf,
  openFilter,
  printedBy,
} from './docker-filter.fixture.ts'

const missing = await dockerMissing('engine')

describe('the Docker filter', () => {
  let fixture: FilterFixture

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (!missing) fixture = await openFilter()
  })

  afterAll(() => fixture?.close())

  it('lets a worker run a task, and gives the keys to the container only', async () => {
    const runner = fixture.runner()
    expect(await runner.version()).toMatch(/^\d/)
    await runner.requireImage()
    const turn = await fixture.newTurn()
    await mkdir(path.dirname(turn.promptFile), { recursive: true })
    const id = await runner.start(turn)
    // The engine closes the log of a container that ends at once before it has written all of it.
    await expect.poll(async () => (await printedBy(runner, id)).join('\n')).toMatch(/cannot open .*prompts/)
    // The log closes a moment before the engine reports that the container has ended.
    const statuses = async () => (await runner.find(turn.taskId)).map((container) => container.status)
    await expect.poll(statuses).toEqual(['ended'])
    expect(await runner.find()).toHaveLength(1)
    expect(await docker(['inspect', id, '-f', '{{.Config.Env}}'])).toContain(KEY)
    expect((await fixture.send('GET', `/containers/${id}/json`)).text).not.toContain(KEY)
    await runner.remove(id)
    expect(await runner.find(turn.taskId)).toEqual([])
  })

  it('lets each container of a task join a network namespace that no other container uses', async () => {
    let live: ReadonlySet<string> = new Set([fixture.worker])
    const create = (workerId: string) => fixture.runner(workerId, { liveWorkers: async () => live })
    const runner = create(fixture.worker)
    const start = async () => await runner.start(await fixture.newTurn())
    await runner.prepareNetwork()
    await runner.maintainNamespaces()
    const [holder] = await fixture.namespaceHolders()
    expect(await docker(['inspect', holder ?? '', '-f', '{{json .Config.Env}} {{json .Mounts}}'])).not.toContain(KEY)

    const first = await start()
    const second = await start()
    expect([await networkModeOf(first), await networkModeOf(second)]).toEqual([`container:${holder}`, fixture.network])
    // The namespace is in use until its container is removed, not only until it ends.
    await runner.maintainNamespaces()
    expect(await networkModeOf(await start())).toBe(fixture.network)
    await runner.remove(first)
    const third = await start()
    expect(await networkModeOf(third)).toBe(`container:${holder}`)

    // A restarted engine ends the holder: a container that would join it is created again without it.
    await runner.remove(third)
    await docker(['kill', holder ?? ''])
    expect(await networkModeOf(await start())).toBe(fixture.network)
    await runner.maintainNamespaces()
    expect(await fixture.namespaceHolders()).toEqual([expect.not.stringContaining(holder ?? '')])

    // The worker is dead: the next worker removes its idle namespaces.
    live = new Set()
    await create(newWorkerId()).maintainNamespaces()
    expect(await fixture.namespaceHolders()).toEqual([])
  })

  it('lets a worker run project servers with their own data, and gives the keys to them only', async () => {
    const containers = fixture.servers()
    const server = fixture.projectServer()
    const { id } = await containers.start(server)
    await expect.poll(async () => (await containers.find(server.projectId))?.isRunning).toBe(false)
    const env = await docker(['inspect', id, '-f', '{{json .Config.Env}}'])
    expect(env).toContain(KEY)
    expect(env).toContain('MY_SETTING=yes')
    expect(env).toContain('\\"model\\":\\"some/model\\"')
    expect(await docker(['inspect', id, '-f', '{{json .Args}}'])).not.toContain(server.password)
    expect((await fixture.send('GET', `/containers/${id}/json`)).text).not.toContain(server.password)
    await containers.remove(id, 'stop')
    await containers.deleteData(server.projectId)
    await containers.deleteData(server.projectId)
    expect(await docker(['volume', 'ls', '--quiet'])).not.toContain(serverName(fixture.stack, server.projectId))
  })

  it('accepts every password that a project server may have, and passes it on unchanged', async () => {
    const containers = fixture.servers()
    const printable = String.fromCharCode(...Array.from({ length: 94 }, (_, at) => 33 + at)).replace(':', '')
    for (const password of ['S3cret!p', printable, 'x'.repeat(190)]) {
      const server = { ...fixture.projectServer(), password }
      const { id } = await containers.start(server)
      const env: string[] = JSON.parse(await docker(['inspect', id, '-f', '{{json .Config.Env}}']))
      expect(env).toContain(`OPENCODE_SERVER_PASSWORD=${password}`)
      await containers.remove(id, 'kill')
      await containers.deleteData(server.projectId)
    }
  })

  /** Starts a proxy to the engine that runs `beforeStart` after the filter has checked a start. */
  const startEngineProxy = async (
    beforeStart: () => Promise<void>,
  ): Promise<{ readonly at: string; readonly server: Server }> => {
    const at = path.join(fixture.folder, 'engine.sock')
    const server = createServer(async (incoming, outgoing) => {
      const { method, url = '', headers } = incoming
      if (/\/start(\?|$)/.test(url)) await beforeStart()
      const sent = request({ socketPath: ENGINE_SOCKET, method, path: url, headers }, (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(outgoing)
      })
      incoming.pipe(sent)
    })
    await new Promise<void>((resolve) => server.listen(at, resolve))
    return { at, server }
  }

  it('runs nothing in a directory that replaces the task directory while its container starts', async () => {
    const turn = await fixture.newTurn()
    // The other directory has everything that a container needs to work.
    const victim = await mkdtemp(path.join(tmpdir(), 'switchyard-test-victim-'))
    await chmod(victim, 0o755)
    for (const name of ['work', 'prompts']) await mkdir(path.join(victim, name))
    await writeFile(path.join(victim, 'prompts', `${turn.promptId}.txt`), 'Delete everything.')
    const engine = await startEngineProxy(async () => {
      await rename(turn.root, `${turn.root}-aside`)
      await symlink(victim, turn.root)
    })
    const socketPath = path.join(fixture.folder, 'swapped.sock')
    const filter = await fixture.startFilter(socketPath, { engine: engine.at })
    const runner = fixture.runner(fixture.worker, { namespaces: 0, socketPath })
    const id = await runner.start(turn)
    await expect.poll(async () => (await runner.state(id)).status).toBe('ended')
    expect((await runner.state(id)).exitCode).toBe(125)
    const printed = async () => (await printedBy(runner, id)).join('\n')
    await expect.poll(printed).toContain('was replaced by another directory')
    await runner.remove(id)
    await filter.close()
    engine.server.close()
    await rm(victim, { recursive: true })
  })

  it('starts a container only in the directory that it was created for', async () => {
    const runner = fixture.runner()
    const turn = await fixture.newTurn()
    const first = await runner.create(turn)
    await rename(turn.root, `${turn.root}-aside`)
    await mkdir(turn.directory, { recursive: true })
    await expect(runner.start(turn, first)).rejects.toMatchObject({ code: 'forbidden' })
    const second = await runner.start(turn)
    expect(second).not.toBe(first)
    await expect.poll(async () => (await runner.state(second)).status).toBe('ended')
    expect((await runner.state(second)).exitCode).not.toBe(125)
    await runner.remove(second)
  })

  it('keeps serving when a caller hangs up during a connection upgrade', async () => {
    const caller = connect(fixture.socketPath)
    const upgrade = 'POST /exec/x/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'
    await new Promise<void>((resolve) => caller.write(upgrade, () => resolve()))
    caller.destroy()
    expect(await fixture.send('GET', '/version')).toMatchObject({ status: 200 })
  })

  it('removes the idle namespaces when it stops, also those that are being created', async () => {
    const network = `${fixture.network}-ending`
    await docker(['network', 'create', '--internal', network])
    const socketPath = path.join(fixture.folder, 'ending.sock')
    const filter = await fixture.startFilter(socketPath, { network })
    const [one, two] = [newWorkerId(), newWorkerId()]
    const options = { liveWorkers: async () => new Set([one, two]), network, socketPath }
    const runner = fixture.runner(one, options)
    await runner.prepareNetwork()
    await runner.maintainNamespaces()
    const task = await runner.start(await fixture.newTurn())
    const used = (await networkModeOf(task)).replace('container:', '')
    expect(await fixture.containersIn(network)).toEqual([used])

    const busy = fixture.runner(two, { ...options, namespaces: 16 })
    await busy.prepareNetwork()
    const creating = busy.maintainNamespaces()
    await expect.poll(async () => (await fixture.containersIn(network)).length, { interval: 20 }).toBeGreaterThan(3)
    await filter.close()
    await creating
    expect(await fixture.containersIn(network)).toEqual([used])
    await docker(['rm', '--force', task, await inspectId(used)])
    await docker(['network', 'rm', network])
  })
})
