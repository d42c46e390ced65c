// Two installations behind filters on one Docker engine: neither reaches the other's containers or data.

import path from 'node:path'
import { createBody, createServerBody, serverName } from '@switchyard/docker'
import type { Filter } from '@switchyard/docker-filter'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { docker, dockerMissing } from '../compose/docker.ts'
import { type FilterFixture, IMAGE, networkModeOf, openFilter } from './docker-filter.fixture.ts'

const missing = await dockerMissing('engine')

describe('two installations on one engine', () => {
  let fixture: FilterFixture
  let otherNetwork: string
  let otherSocket: string
  let otherFilter: Filter

  const sendOther = (method: string, url: string, body?: unknown) => fixture.send(method, url, body, otherSocket)

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (missing) return
    fixture = await openFilter()
    otherNetwork = `${fixture.network}-of-another`
    otherSocket = path.join(fixture.folder, 'other.sock')
    otherFilter = await fixture.startFilter(otherSocket, { network: otherNetwork })
  })

  afterAll(async () => {
    await otherFilter?.close()
    await fixture?.close()
  })

  const listed = async (at: string): Promise<readonly string[]> => {
    const filters = JSON.stringify({ label: [`switchyard.stack=${fixture.stack}`, 'switchyard.task'] })
    const url = `/containers/json?all=1&filters=${encodeURIComponent(filters)}`
    const { text } = await fixture.send('GET', url, undefined, at)
    return (JSON.parse(text) as { Id: string }[]).map(({ Id }) => Id)
  }

  /** Expects that the container's own installation can use it and that the other one cannot. */
  const expectOwn = async (id: string): Promise<void> => {
    expect(await listed(fixture.socketPath)).toContain(id)
    expect(await fixture.send('GET', `/containers/${id}/json`)).toMatchObject({ status: 200 })
    expect(await listed(otherSocket)).toEqual([])
    for (const [method, what] of [
      ['GET', '/json'],
      ['GET', '/logs?stdout=1'],
      ['POST', '/start'],
      ['POST', '/stop'],
      ['DELETE', '?force=1'],
    ] as const)
      expect(await sendOther(method, `/containers/${id}${what}`)).toMatchObject({ status: 403 })
  }

  it('show task containers to their own installation only, and share no network namespace', async () => {
    const runner = fixture.runner()
    await runner.prepareNetwork()
    await runner.maintainNamespaces()
    const id = await runner.create(await fixture.newTurn())
    await expectOwn(id)
    const [holder = ''] = await fixture.namespaceHolders()
    expect(await networkModeOf(id)).toBe(`container:${holder}`)
    const theirs = await fixture.newTurn()
    const joining = createBody(fixture.settings, theirs, { ...fixture.taskNetwork, network: `container:${holder}` })
    expect(await sendOther('POST', fixture.createUrl(fixture.nameOf(theirs)), joining)).toMatchObject({ status: 403 })
    await runner.remove(id)
    await runner.close()
  })

  it('recognize containers of versions without installation labels by their network', async () => {
    const run = async (network: string, kind: string) => {
      const labels = ['--label', `switchyard.stack=${fixture.stack}`, '--label', `switchyard.${kind}=x`]
      return (await docker(['run', '--detach', '--network', network, ...labels, IMAGE, 'sleep', '600'])).trim()
    }
    const holder = await run(fixture.network, 'namespace')
    const [plain, joined] = [await run(fixture.network, 'task'), await run(`container:${holder}`, 'task')]
    for (const id of [plain, joined]) await expectOwn(id)
    await docker(['rm', '--force', plain, joined, holder])
  })

  it("cannot use the data of each other's project servers", async () => {
    const containers = fixture.servers()
    const server = fixture.projectServer()
    const name = serverName(fixture.stack, server.projectId)
    const { id } = await containers.start(server)
    await containers.remove(id, 'kill')
    expect(await sendOther('DELETE', `/volumes/${name}`)).toMatchObject({ status: 403 })
    const body = createServerBody({ ...fixture.serverSettings, network: otherNetwork }, server)
    expect(await sendOther('POST', fixture.createUrl(name), body)).toMatchObject({
      status: 403,
      text: expect.stringContaining('another installation'),
    })
    await containers.deleteData(server.projectId)
    expect(await docker(['volume', 'ls', '--quiet'])).not.toContain(name)
  })

  it('keep using the data of a project server from a version without installation labels', async () => {
    const containers = fixture.servers()
    const server = fixture.projectServer()
    const name = serverName(fixture.stack, server.projectId)
    await docker(['volume', 'create', name])
    const { id } = await containers.start(server)
    expect(await docker(['inspect', id, '-f', '{{json .Mounts}}'])).toContain(name)
    await containers.remove(id, 'kill')
    await containers.deleteData(server.projectId)
    expect(await docker(['volume', 'ls', '--quiet'])).not.toContain(name)
  })
})
