import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { MessageList, SentToSession, SessionInfo, SessionList, StartedProject } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { makeRepository } from './repository.ts'
import { type System, startSystem } from './system.ts'

const OPERATOR = 'ops-operator-0123456789'
const ONE = 'one-agent-0123456789'
const TWO = 'two-agent-0123456789'

let system: System
let repositories: string
let ops: McpCaller
let one: McpCaller
let two: McpCaller
let number = 0

beforeAll(async () => {
  repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
  system = await startSystem('postgres', {
    SWITCHYARD_API_KEYS: `ops:operator:${OPERATOR},one:agent:${ONE},two:agent:${TWO}`,
    MCP_TOOLSETS: 'tasks,projects,sessions',
  })
  ops = await connectMcp(system.url, { key: OPERATOR })
  one = await connectMcp(system.url, { key: ONE })
  two = await connectMcp(system.url, { key: TWO })
})

afterAll(async () => {
  for (const client of [ops, one, two]) await client?.close()
  await system?.close()
  await rm(repositories, { recursive: true, force: true })
})

type Answer<T> = { readonly status: number; readonly body: T }

const request = async <T>(method: string, url: string, body?: unknown, key = OPERATOR): Promise<Answer<T>> => {
  const response = await fetch(system.url + url, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(58_000),
  })
  return { status: response.status, body: (await response.json()) as T }
}

const ok = async <T>(method: string, url: string, body?: unknown, key = OPERATOR): Promise<T> => {
  const answer = await request<T>(method, url, body, key)
  expect(answer, `${method} ${url}`).toMatchObject({ status: 200 })
  return answer.body
}

const start = async (files: Record<string, string> = { 'a.txt': 'a\n' }, as = ops) => {
  number += 1
  const url = `file://${await makeRepository(path.join(repositories, `r${number}`), files)}`
  const project = await as.call<StartedProject>('opencode_project_start', { git_url: url })
  return { url, id: project.project_id, baseDir: project.base_dir ?? '', path: `/project/${project.project_id}` }
}

const create = (project: { path: string }, body: object = {}) =>
  ok<SessionInfo>('POST', `${project.path}/session`, body)

const say = (project: { path: string }, session: { id: string }, text: string, more: object = {}) =>
  ok<SentToSession>('POST', `${project.path}/session/${session.id}/message`, {
    parts: [{ type: 'text', text }],
    ...more,
  })

describe('a session', () => {
  it('is made, answers, is read in pages, renamed, forked and deleted', async () => {
    const project = await start()
    const session = await create(project, {
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
      const sent = await say(project, session, `${text} ${script([{ say: `heard ${text}` }])}`)
      expect(sent).toMatchObject({ running: false, text: `heard ${text}`, asks: [], error: null })
      expect(sent.info).toMatchObject({ role: 'assistant', parentID: sent.messageID })
    }
    const at = `${project.path}/session/${session.id}`
    const page = await ok<MessageList>('GET', `${at}/message?limit=2`)
    expect(page).toMatchObject({ total: 6, hasMore: true })
    const before = await ok<MessageList>('GET', `${at}/message?limit=10&before=${page.messages[0]?.info.id}`)
    expect(before.messages.map(({ info }) => info.role)).toEqual(['user', 'assistant', 'user', 'assistant'])
    expect(before.hasMore).toBe(false)
    expect(await ok('GET', at)).toMatchObject({ messageCount: 6, status: 'idle' })
    expect(await ok('PATCH', at, { title: 'Renamed', metadata: { ticket: 8 } })).toMatchObject({
      title: 'Renamed',
      metadata: { ticket: 8 },
      system: 'Be brief.',
    })
    const fork = await ok<SessionInfo>('POST', `${at}/fork`, { messageID: before.messages[2]?.info.id })
    expect(fork).toMatchObject({ directory: project.baseDir, metadata: { ticket: 8 }, system: 'Be brief.' })
    expect(await ok('GET', `${project.path}/session/${fork.id}/message`)).toMatchObject({ total: 2 })
    const list = await ok<SessionList>('GET', `${project.path}/session`)
    expect(list).toMatchObject({ total: 2, active: 0 })
    expect(await ok('DELETE', at)).toEqual({ deleted: true })
    expect(await request('GET', at)).toMatchObject({ status: 404, body: { code: 'session_not_found' } })
    expect(await ok('GET', `${project.path}/session`)).toMatchObject({ total: 1, sessions: [{ id: fork.id }] })
  })

  it('asks before it acts, tells the ask in the answer, and goes on with the reply', async () => {
    const project = await start()
    const session = await create(project)
    const at = `${project.path}/session/${session.id}`
    const sent = await say(
      project,
      session,
      script([
        { tool: 'bash', args: { command: 'echo b > b.txt', description: 'x' } },
        { tool: 'bash', args: { command: 'echo c > c.txt', description: 'x' } },
        { say: 'done' },
      ]),
    )
    expect(sent).toMatchObject({ running: true, asks: [{ kind: 'permission', permission: 'bash' }] })
    expect(await ok('GET', `${project.path}/session`)).toMatchObject({ active: 1, sessions: [{ status: 'waiting' }] })
    await ok('POST', `${at}/permission/${sent.asks[0]?.id}`, { reply: 'always' })
    await expect
      .poll(async () => (await ok<SessionInfo>('GET', at)).status, { timeout: 20_000, interval: 100 })
      .toBe('idle')
    expect(await ok('GET', `${at}/file/status`)).toMatchObject({
      total: 2,
      added: 2,
      files: [
        { path: 'b.txt', status: 'added' },
        { path: 'c.txt', status: 'added' },
      ],
    })
    expect(await ok('GET', `${at}/diff`)).toMatchObject({ source: 'worktree', diff: expect.stringContaining('+b') })
  })
})
