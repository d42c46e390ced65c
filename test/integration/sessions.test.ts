import type { MessageList, Sandbox, SessionInfo, SessionList, StartedProject } from '@switchyard/contracts'
import { type ShareService, script, startShareService } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { at, type SessionSystem, startSessionSystem } from './session-system.ts'

let system: SessionSystem
let shares: ShareService

beforeAll(async () => {
  shares = await startShareService()
  system = await startSessionSystem('postgres', {
    env: { OPENCODE_DISABLE_SHARE: 'false' },
    // OpenCode's default for sharing, unlike in the other tests.
    opencode: { share: undefined, enterprise: { url: shares.url } },
  })
})

afterAll(async () => {
  await system?.close()
  await shares?.close()
})

describe('a session', () => {
  it('is created, answers, is read in pages, renamed, forked and deleted', async () => {
    const project = await system.start()
    const session = await system.create(project, {
      title: 'Review',
      metadata: { ticket: 7 },
      system: 'Be brief.',
      model: 'scripted/other',
    })
    expect(session).toMatchObject({
      title: 'Review',
      projectID: project.id,
      directory: project.baseDir,
      worktree: null,
      taskID: null,
      status: 'idle',
      model: { providerID: 'scripted', modelID: 'other' },
      system: 'Be brief.',
      metadata: { ticket: 7 },
      permissions: { canEdit: true, canShare: true, canDelete: true },
    })
    for (const text of ['one', 'two', 'three']) {
      const sent = await system.say(project, session, `${text} ${script([{ say: `received ${text}` }])}`)
      expect(sent).toMatchObject({ running: false, text: `received ${text}`, asks: [], error: null })
      expect(sent.info).toMatchObject({ role: 'assistant', parentID: sent.messageID })
    }
    const place = at(project, session)
    const page = await system.ops.ok<MessageList>('GET', `${place}/message?limit=2`)
    expect(page).toMatchObject({ total: 6, hasMore: true })
    const before = await system.ops.ok<MessageList>(
      'GET',
      `${place}/message?limit=10&before=${page.messages[0]?.info.id}`,
    )
    expect(before.messages.map(({ info }) => info.role)).toEqual(['user', 'assistant', 'user', 'assistant'])
    expect(before.hasMore).toBe(false)
    expect(await system.ops.ok('GET', place)).toMatchObject({ messageCount: 6, status: 'idle' })
    expect(await system.ops.ok('PATCH', place, { title: 'Renamed', metadata: { ticket: 8 } })).toMatchObject({
      title: 'Renamed',
      metadata: { ticket: 8 },
      system: 'Be brief.',
    })
    const fork = await system.ops.ok<SessionInfo>('POST', `${place}/fork`, { messageID: before.messages[2]?.info.id })
    expect(fork).toMatchObject({ directory: project.baseDir, metadata: { ticket: 8 }, system: 'Be brief.' })
    expect(await system.ops.ok('GET', `${at(project, fork)}/message`)).toMatchObject({ total: 2 })
    expect(await system.ops.ok<SessionList>('GET', `${project.path}/session`)).toMatchObject({ total: 2, active: 0 })
    expect(await system.ops.ok('DELETE', place)).toEqual({ deleted: true })
    expect(await system.ops.request('GET', place)).toMatchObject({ status: 404, body: { code: 'session_not_found' } })
    expect(await system.ops.ok('GET', `${project.path}/session`)).toMatchObject({
      total: 1,
      sessions: [{ id: fork.id }],
    })
  })

  it('requests a permission in its answer and continues with the reply, also in a fork', async () => {
    const project = await system.start()
    const first = await system.create(project)
    const session = await system.ops.ok<SessionInfo>('POST', `${at(project, first)}/fork`)
    const sent = await system.say(
      project,
      session,
      script([
        { tool: 'bash', args: { command: 'echo b > b.txt', description: 'x' } },
        { tool: 'bash', args: { command: 'echo c > c.txt', description: 'x' } },
        { say: 'done' },
      ]),
    )
    expect(sent).toMatchObject({ running: true, asks: [{ kind: 'permission', permission: 'bash' }] })
    const list = await system.ops.ok<SessionList>('GET', `${project.path}/session`)
    expect(list).toMatchObject({ total: 2, active: 1, sessions: [{ id: session.id, status: 'waiting' }, {}] })
    // `always` also covers the second command of the running turn.
    await system.ops.ok('POST', `${at(project, session)}/permission/${sent.asks[0]?.id}`, { reply: 'always' })
    await system.idle(project, session)
    expect(await system.ops.ok('GET', `${at(project, session)}/file/status`)).toMatchObject({
      total: 2,
      added: 2,
      files: [
        { path: 'b.txt', status: 'added' },
        { path: 'c.txt', status: 'added' },
      ],
    })
    expect(await system.ops.ok('GET', `${at(project, session)}/diff`)).toMatchObject({
      source: 'worktree',
      diff: expect.stringContaining('+b'),
    })
    expect(
      await system.ops.request('POST', `${at(project, session)}/permission/${sent.asks[0]?.id}`, { reply: 'once' }),
    ).toMatchObject({ status: 404, body: { code: 'request_not_found' } })
  })

  it('has its question answered', async () => {
    const project = await system.start()
    const session = await system.create(project)
    const questions = [{ question: 'Tabs?', header: 'Indent', options: [{ label: 'Yes', description: 'tabs' }] }]
    const sent = await system.say(
      project,
      session,
      script([{ tool: 'question', args: { questions } }, { say: 'Fine.' }]),
    )
    expect(sent.asks).toMatchObject([{ kind: 'question', questions: [{ question: 'Tabs?' }] }])
    const reply = (body: object) =>
      system.ops.request('POST', `${at(project, session)}/question/${sent.asks[0]?.id}`, body)
    expect(await reply({ answers: [['Yes'], ['No']] })).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    })
    expect(await reply({ answers: [['Yes']] })).toMatchObject({ status: 200, body: { asks: [] } })
    await system.idle(project, session)
    const { messages } = await system.ops.ok<MessageList>('GET', `${at(project, session)}/message`)
    expect(JSON.stringify(messages)).toContain('Fine.')
  })

  it('returns at once when the caller does not wait, and is aborted with its subagents', async () => {
    const project = await system.start()
    const session = await system.create(project, { permissions: 'allow' })
    const sent = await system.say(
      project,
      session,
      script([{ tool: 'bash', args: { command: 'sleep 100', description: 'x', timeout: 200_000 } }, { say: 'never' }]),
      { wait_ms: 0 },
    )
    expect(sent).toMatchObject({ running: true, info: null, text: null })
    const status = async () => (await system.ops.ok<SessionInfo>('GET', at(project, session))).status
    await expect.poll(status, { timeout: 20_000, interval: 100 }).toBe('active')
    const busy = { status: 409, body: { code: 'session_busy' } }
    const to = { messageID: sent.messageID }
    expect(await system.ops.request('POST', `${at(project, session)}/revert`, to)).toMatchObject(busy)
    expect(await system.ops.request('POST', `${at(project, session)}/compact`)).toMatchObject(busy)
    expect(await system.ops.ok('POST', `${at(project, session)}/abort`)).toEqual({ aborted: [session.id] })
    await system.idle(project, session)
  })

  it('is compacted, reverted and restored, and writes AGENTS.md', async () => {
    const project = await system.start()
    const session = await system.create(project, { permissions: 'allow' })
    const place = at(project, session)
    const sent = await system.say(project, session, script([{ say: 'one' }]))
    expect(await system.ops.ok('POST', `${place}/revert`, { messageID: sent.messageID })).toMatchObject({
      revert: { messageID: sent.messageID },
    })
    expect(await system.ops.ok('POST', `${place}/unrevert`)).toMatchObject({ revert: null })
    const missing = { messageID: 'msg_000000000000none' }
    for (const what of ['revert', 'fork'])
      expect(await system.ops.request('POST', `${place}/${what}`, missing)).toMatchObject({
        status: 404,
        body: { code: 'message_not_found' },
      })
    expect(await system.ops.ok('POST', `${place}/compact`)).toEqual({ compacted: true, running: false })
    const compacted = await system.ops.ok<MessageList>('GET', `${place}/message`)
    expect(compacted.messages.at(-1)?.info).toMatchObject({ summary: true })
    // The second time there is nothing to compact.
    await system.ops.ok('POST', `${place}/compact`, { model: 'scripted/model' })
    expect(await system.ops.ok('GET', `${place}/message`)).toMatchObject({ total: compacted.total })
    const init = await system.ops.ok<{ messageID: string }>('POST', `${place}/init`, {})
    await system.idle(project, session)
    const { messages } = await system.ops.ok<MessageList>('GET', `${place}/message`)
    expect(messages.some(({ info }) => info.id === init.messageID)).toBe(true)
    expect(await system.ops.ok('GET', `${place}/todo`)).toEqual({ todos: [], total: 0 })
  })

  it('is listed and read completely among very many sessions and messages', async () => {
    const project = await system.start()
    const session = await system.create(project, { title: 'long' })
    const place = at(project, session)
    await system.say(project, session, script([{ say: 'the last' }]))
    const rows = system.sessionRows()
    const ids = rows.copyMessage(session.id, 5_000)
    rows.copySession(session.id, 1_200)
    rows.close()
    const list = (query: string) => system.ops.ok<SessionList>('GET', `${project.path}/session?${query}`)
    const newest = await list('limit=1')
    expect(newest).toMatchObject({ total: 1_201, active: 0, sessions: [{ id: session.id }] })
    const oldest = await list('limit=10&offset=1200')
    expect(oldest).toMatchObject({ total: 1_201, sessions: [{ id: `${session.id}x1200` }] })
    expect(await system.ops.ok('GET', project.path)).toMatchObject({ sessionCount: 1_201 })
    const read = (query: string) => system.ops.ok<MessageList>('GET', `${place}/message?${query}`)
    const page = await read('limit=3')
    expect(page).toMatchObject({ total: 5_002, hasMore: true, messages: [{ info: { id: ids.at(-1) } }, {}, {}] })
    const middle = await read(`limit=2&before=${ids[2_500]}`)
    expect(middle.messages.map(({ info }) => info.id)).toEqual(ids.slice(2_498, 2_500))
    expect(await read(`limit=2&before=${ids[1]}`)).toMatchObject({ total: 5_002, hasMore: false })
    expect(await system.ops.ok('GET', place)).toMatchObject({ messageCount: 5_002 })
    // The next message removes the reverted ones, which no longer count.
    const sent = await system.say(project, session, script([{ say: 'one more' }]))
    expect(await read('limit=1')).toMatchObject({ total: 5_004 })
    await system.ops.ok('POST', `${place}/revert`, { messageID: sent.messageID })
    await system.say(project, session, script([{ say: 'in its place' }]))
    expect(await read('limit=1')).toMatchObject({ total: 5_004 })
  })

  it("is shared on the operator's service, whatever the repository configures, until it is unshared", async () => {
    const elsewhere = { share: 'auto', enterprise: { url: 'http://127.0.0.1:9' } }
    const project = await system.start(system.ops, { 'opencode.json': JSON.stringify(elsewhere) })
    const session = await system.create(project)
    const place = at(project, session)
    await system.say(project, session, script([{ say: 'to be read' }]))
    expect(shares.shared()).toEqual([])
    const { shareURL: url } = await system.ops.ok<{ shareURL: string }>('POST', `${place}/share`)
    expect(url).toMatch(`${shares.url}/s/`)
    expect(await system.ops.ok('GET', place)).toMatchObject({ shareURL: url })
    await expect
      .poll(() => shares.shared(), { timeout: 20_000 })
      .toEqual([{ sessionID: session.id, kinds: expect.arrayContaining(['session', 'message', 'part']) }])
    const refused = { status: 503, body: { code: 'sharing_unavailable', retryable: true } }
    shares.fail(true)
    expect(await system.ops.request('DELETE', `${place}/share`)).toMatchObject(refused)
    expect(await system.ops.ok('GET', place)).toMatchObject({ shareURL: url })
    shares.fail(false)
    expect(await system.ops.ok('DELETE', `${place}/share`)).toEqual({ shared: false })
    expect(shares.shared()).toEqual([])
    expect(await system.ops.ok('GET', place)).toMatchObject({ shareURL: null, metadata: {} })
    expect(await system.ops.ok('GET', `${project.path}/session`)).toMatchObject({ sessions: [{ shareURL: null }] })
    shares.fail(true)
    expect(await system.ops.request('POST', `${place}/share`)).toMatchObject(refused)
    shares.fail(false)
    const again = await system.ops.ok<{ shareURL: string }>('POST', `${place}/share`)
    expect(again.shareURL).not.toBe(url)
    expect(await system.ops.ok('GET', place)).toMatchObject({ shareURL: again.shareURL })
  })

  it('works in a sandbox and is listed with it', async () => {
    const project = await system.start()
    const sandbox = await system.mcp.call<Sandbox>('opencode_sandbox_create', { git_url: project.url, name: 'apart' })
    await system.create(project, { title: 'base' })
    const session = await system.create(project, { title: 'apart', worktree: 'apart' })
    expect(session).toMatchObject({ directory: sandbox.path, worktree: 'apart' })
    expect(await system.create(project, { directory: sandbox.path, parentID: session.id })).toMatchObject({
      parentID: session.id,
      directory: sandbox.path,
    })
    expect(await system.ops.ok('GET', `${project.path}/session?worktree=apart`)).toMatchObject({
      total: 1,
      sessions: [{ title: 'apart', children: [expect.stringMatching(/^ses_/)] }],
    })
    expect(await system.ops.ok('GET', `${project.path}/session`)).toMatchObject({ total: 2 })
    expect(await system.ops.ok('GET', project.path)).toMatchObject({
      sessionCount: 2,
      children: [{ name: 'apart', worktree: sandbox.path }],
    })
  })
})

describe('sessions over MCP', () => {
  it('are created, answer, request a permission and are read', async () => {
    const project = await system.start()
    const git_url = project.url
    const started = await system.mcp.call<StartedProject>('opencode_project_start', { git_url })
    expect(started.status).toBe('already_running')
    const { session_id } = await system.mcp.call<{ session_id: string }>('opencode_session_create', {
      git_url,
      title: 'M',
    })
    const message = script([{ tool: 'write', args: { filePath: 'n.txt', content: 'n\n' } }, { say: 'written' }])
    const sent = await system.mcp.call<{ asks: { id: string }[] }>('opencode_session_message', {
      git_url,
      session_id,
      message,
      wait_ms: 30_000,
    })
    expect(sent).toMatchObject({ session_id, running: true, asks: [{ permission: 'edit' }] })
    const request_id = sent.asks[0]?.id
    expect(await system.mcp.call('opencode_session_reply', { git_url, session_id, request_id, reply: 'once' })).toEqual(
      {
        session_id,
        asks: [],
      },
    )
    await system.idle(project, { id: session_id })
    expect(await system.mcp.call('opencode_session_messages', { git_url, session_id, limit: 1 })).toMatchObject({
      hasMore: true,
      messages: [{ info: { role: 'assistant' } }],
    })
    expect(await system.mcp.call('opencode_session_diff', { git_url, session_id })).toMatchObject({
      files: [{ path: 'n.txt', status: 'added', additions: 1 }],
    })
    expect(await system.mcp.call('opencode_session_list', { git_url })).toMatchObject({
      total: 1,
      sessions: [{ title: 'M' }],
    })
    expect(await system.mcp.call('opencode_session_abort', { git_url, session_id })).toEqual({ aborted: [session_id] })
  })
})
