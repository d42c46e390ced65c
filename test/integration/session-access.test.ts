import { symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { SessionEvent, SessionInfo, Task } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { followSession } from './follow-session.ts'
import { restCaller } from './rest-caller.ts'
import { at, ONE, OPERATOR, type SessionSystem, startSessionSystem, TWO } from './session-system.ts'

let system: SessionSystem

beforeAll(async () => {
  system = await startSessionSystem()
})

afterAll(() => system?.close())

describe('access to a session', () => {
  it('is granted to the callers that may use its project, and hidden from all others', async () => {
    const mine = await system.start(system.one)
    const other = await system.start(system.two)
    const session = await system.create(mine, {}, system.one)
    const notThere = { status: 404, body: { code: 'session_not_found' } }
    const noProject = { status: 404, body: { code: 'project_not_found' } }
    expect(await system.one.ok('GET', at(mine, session))).toMatchObject({ id: session.id })
    expect(await system.two.request('GET', at(mine, session))).toMatchObject(noProject)
    expect(await system.two.request('GET', at(other, session))).toMatchObject(notThere)
    const said = { parts: [{ type: 'text', text: 'x' }] }
    expect(await system.two.request('POST', `${at(other, session)}/message`, said)).toMatchObject(notThere)
    expect(await system.two.request('DELETE', at(other, session))).toMatchObject(notThere)
    expect(await system.two.request('GET', `${at(other, session)}/event`)).toMatchObject(notThere)
    expect(await system.two.request('POST', `${other.path}/session`, { parentID: session.id })).toMatchObject(notThere)
    expect(await system.two.ok('GET', `${other.path}/session`)).toMatchObject({ total: 0 })
    // The owner shares the project.
    await system.one.ok('PATCH', mine.path, { permissions: { agents: ['two'] } })
    expect(await system.two.ok('GET', at(mine, session))).toMatchObject({ id: session.id })
    expect(await system.two.request('PATCH', mine.path, { name: 'x' })).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    })
  })

  it("is refused for an id that cannot be a session's", async () => {
    const project = await system.start(system.one)
    const said = { parts: [{ type: 'text', text: 'x' }] }
    for (const id of ['nothing', 'task_01', 'ses', 'ses_', 'ses_..%2F..%2Fconfig', `ses_${'x'.repeat(300)}`]) {
      const place = at(project, { id })
      for (const [method, path, body] of [
        ['GET', place],
        ['GET', `${place}/message`],
        ['GET', `${place}/event`],
        ['POST', `${place}/message`, said],
        ['POST', `${place}/abort`],
        ['DELETE', place],
      ] as const) {
        const { status, body: told } = await system.one.request<{ code: string }>(method, path, body)
        expect([method, path, status, told.code]).toEqual([method, path, 404, 'session_not_found'])
      }
    }
  })

  it('ends an event stream for others once the project is no longer shared', async () => {
    const project = await system.start(system.one)
    await system.one.ok('PATCH', project.path, { permissions: { agents: ['two'] } })
    const session = await system.create(project, {}, system.one)
    const follow = (key: string, isLast: (event: SessionEvent) => boolean) => {
      const told: SessionEvent[] = []
      const url = `${system.url}${at(project, session)}/event`
      const ended = followSession(url, key, (event) => told.push(event) > 0 && isLast(event))
      return { told, ended }
    }
    const isSaid = (event: SessionEvent) => event.type === 'session_message'
    const [owner, other] = [follow(ONE, isSaid), follow(TWO, () => false)]
    for (const { told } of [owner, other])
      await expect.poll(() => told.map(({ type }) => type)).toContain('session_status')
    await system.one.ok('PATCH', project.path, { permissions: { agents: [] } })
    await system.say(project, session, 'Between us', { noReply: true })
    expect((await owner.ended).at(-1)?.message).toContain('Between us')
    expect((await other.ended).filter(isSaid)).toEqual([])
  })

  it('is limited for the session of a task: only its agent sees it, and only the task controls it', async () => {
    const project = await system.start(system.one)
    await system.one.ok('PATCH', project.path, { permissions: { agents: ['two'] } })
    const task = await system.one.request<Task>('POST', '/tasks', {
      task_description: script([
        { tool: 'bash', args: { command: 'true', description: 'x' } },
        { hold: 'task' },
        { say: 'done' },
      ]),
      project: project.url,
    })
    const id = task.body.task_id
    const read = async () => await system.one.ok<Task>('GET', `/tasks/${id}`)
    await expect.poll(async () => (await read()).session_id, { timeout: 20_000 }).toMatch(/^ses_/)
    const session = { id: (await read()).session_id ?? '' }
    expect(await system.one.ok('GET', at(project, session))).toMatchObject({
      taskID: id,
      permissions: { canEdit: false, canDelete: false },
    })
    expect(await system.one.ok('GET', `${project.path}/session`)).toMatchObject({ sessions: [{ taskID: id }] })
    expect(await system.two.ok('GET', `${project.path}/session`)).toMatchObject({ total: 0 })
    expect(await system.two.request('GET', at(project, session))).toMatchObject({ status: 404 })
    const refused = { status: 409, body: { code: 'session_of_task' } }
    expect(
      await system.one.request('POST', `${at(project, session)}/message`, { parts: [{ type: 'text', text: 'x' }] }),
    ).toMatchObject(refused)
    expect(await system.one.request('DELETE', at(project, session))).toMatchObject(refused)
    expect(await system.one.request('POST', `${at(project, session)}/abort`)).toMatchObject(refused)
    system.model.release('task')
    await expect.poll(async () => (await read()).status, { timeout: 20_000 }).toBe('completed')
    expect(await system.one.ok('GET', at(project, session))).toMatchObject({ permissions: { canEdit: true } })
  })

  it('never reaches another directory of the host', async () => {
    const project = await system.start(system.one, { 'a.txt': 'a\n', 'src/sum.js': 'x\n' })
    const session = await system.create(project, {}, system.one)
    await writeFile(path.join(project.baseDir, 'secret-name.txt'), 'new\n')
    await symlink('/etc', path.join(project.baseDir, 'etc'))
    for (const directory of ['/etc', '/', `${project.baseDir}/..`, `${project.baseDir}/src`, system.repositories]) {
      const query = `directory=${encodeURIComponent(directory)}`
      expect(await system.one.request('GET', `/config?${query}`)).toMatchObject({ status: 404 })
      expect(await system.one.request('GET', `/provider?${query}`)).toMatchObject({ status: 404 })
      expect(await system.one.request('GET', `${project.path}/agent?${query}`)).toMatchObject({ status: 404 })
      expect(await system.one.request('POST', `${project.path}/session`, { directory })).toMatchObject({ status: 404 })
      expect(await system.one.request('GET', `${project.path}/session?${query}`)).toMatchObject({ status: 404 })
    }
    const file = (name: string) =>
      system.one.request('GET', `${at(project, session)}/file?path=${encodeURIComponent(name)}`)
    expect(await file('a.txt')).toMatchObject({ status: 200, body: { type: 'raw', content: 'a\n', size: 2 } })
    for (const name of ['/etc/passwd', '../../../../etc/passwd', 'etc/passwd', '.git/config'])
      expect(await file(name)).toMatchObject({ body: { code: 'path_outside_workspace' } })
    expect(await file('none.txt')).toMatchObject({ status: 404, body: { code: 'file_not_found' } })
    const find = await system.one.ok<{ files: string[] }>('GET', `${at(project, session)}/find/file?query=sum`)
    expect(find.files[0]).toBe('src/sum.js')
    expect(await system.one.ok('GET', `${at(project, session)}/find/file?query=..%2F..%2Fpasswd`)).toMatchObject({
      total: 0,
    })
    const list = await system.one.ok<{ entries: { name: string }[] }>('GET', `${at(project, session)}/file/list`)
    expect(list.entries.map(({ name }) => name)).toEqual(['a.txt', 'etc', 'secret-name.txt', 'src'])
    const patch = await system.one.ok('GET', `${at(project, session)}/file?path=secret-name.txt&type=patch`)
    expect(patch).toMatchObject({ type: 'patch', content: expect.stringContaining('+new') })
  })
})

describe('the default project', () => {
  it("is the caller's only project or the one marked as default", async () => {
    const key = restCaller(system.url, OPERATOR)
    const project = await system.start()
    const other = await system.start(system.one)
    expect(await key.request('GET', '/session')).toMatchObject({ status: 404, body: { code: 'project_not_found' } })
    await key.ok('PATCH', project.path, { metadata: { settings: { default: true }, tags: ['main'] } })
    const session = await key.ok<SessionInfo>('POST', '/session', { title: 'here' })
    expect(session.projectID).toBe(project.id)
    expect(await key.ok('GET', `/session/${session.id}`)).toMatchObject({ title: 'here' })
    expect(await key.ok('GET', '/session')).toMatchObject({ total: 1 })
    // Another key's mark has no effect on this key.
    await system.one.ok('PATCH', other.path, { metadata: { settings: { default: true } } })
    expect(await key.ok('GET', '/session')).toMatchObject({ sessions: [{ id: session.id }] })
    expect(await system.one.ok('GET', '/session')).toMatchObject({ total: 0 })
    await system.one.ok('PATCH', other.path, { metadata: { settings: {} } })
    await key.ok('PATCH', project.path, { metadata: { settings: {} } })
  })
})
