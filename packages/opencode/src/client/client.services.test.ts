import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import { OWN_MODELS_ONLY, opencodeConfig, type ScriptedModel, script, startScriptedModel } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDirectories, createRecorder, eventually, quiet } from '../opencode.fixture.ts'
import { OpenCodeServer } from '../opencode-server.ts'
import { childServer } from '../server/child-server.ts'
import { freePort } from '../server/free-port.ts'
import { descendants } from '../server/processes.ts'
import { createClient } from './client.ts'
import { newMessageId } from './message-ids.ts'
import { permissionRules } from './permission-rules.ts'

let directories: Awaited<ReturnType<typeof createDirectories>>
let model: ScriptedModel
let server: OpenCodeServer
let directory: string

beforeAll(async () => {
  directories = await createDirectories()
  directory = directories.directory
  model = await startScriptedModel()
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, ...OWN_MODELS_ONLY, OPENCODE_EXPERIMENTAL_BACKGROUND_SUBAGENTS: 'true' }
  server = OpenCodeServer.start({
    launcher: childServer({ dataDir: directories.dataDir, env, config: opencodeConfig(model.url), logger: quiet }),
    logger: quiet,
  })
  await server.ready()
})

afterAll(async () => {
  await server?.close()
  await model?.close()
  await directories?.remove()
})

const begin = async (policy: 'allow' | 'ask' = 'allow') => {
  const session = await server.client.createSession({ directory, title: 'test', permission: permissionRules(policy) })
  const recorder = createRecorder()
  const subscription = server.subscribe(session.id, directory, recorder.listener, { isNew: true })
  await subscription.established
  const ref = { sessionId: session.id, directory }
  return { session, recorder, subscription, ref }
}

const bash = (command: string) => ({ tool: 'bash', args: { command, description: 'runs' } })

describe('promptAsync', () => {
  it('keeps the given message id, adds the message last, and finds it again', async () => {
    const { ref, recorder, subscription } = await begin()
    const ids = [newMessageId(), newMessageId()]
    for (const messageId of ids) {
      recorder.clear()
      await server.client.promptAsync({ ...ref, messageId, text: `${messageId} ${script([{ say: 'yes' }])}` })
      await recorder.event('session.idle', ref.sessionId)
    }
    subscription.close()
    const messages = await server.client.messages(ref)
    expect(messages.map(({ info }) => info.role)).toEqual(['user', 'assistant', 'user', 'assistant'])
    expect(messages.flatMap(({ info }) => (info.role === 'user' ? [info.id] : []))).toEqual(ids)
    expect(messages.flatMap(({ info }) => (info.role === 'assistant' ? [info.parentID] : []))).toEqual(ids)
    expect((await server.client.messages({ ...ref, limit: 2 })).map(({ info }) => info.id)).toContain(ids[1])
    expect((await server.client.message({ ...ref, messageId: ids[0] ?? '' }))?.info.id).toBe(ids[0])
    expect(await server.client.message({ ...ref, messageId: newMessageId() })).toBeUndefined()
  })

  it('makes one turn when the prompt is sent several times: at once, during the turn, and after it', async () => {
    const { ref, recorder, subscription } = await begin()
    const log = path.join(directories.root, 'runs')
    const text = `go ${script([bash(`echo run >> ${log}; sleep 0.5`), { say: 'once' }])}`
    const prompt = { ...ref, messageId: newMessageId(), text }
    await Promise.all([1, 2, 3].map(() => server.client.promptAsync(prompt)))
    await eventually('the tool runs', () => readFile(log, 'utf8').catch(() => undefined))
    await server.client.promptAsync(prompt)
    await recorder.event('session.idle', ref.sessionId)
    recorder.clear()
    await server.client.promptAsync(prompt)
    await recorder.event('session.idle', ref.sessionId)
    subscription.close()
    expect(await readFile(log, 'utf8')).toBe('run\n')
    const user = (await server.client.messages(ref)).filter(({ info }) => info.role === 'user')
    expect(user.map(({ info, parts }) => [info.id, parts.length])).toEqual([[prompt.messageId, 1]])
  })
})

describe('catalog', () => {
  it('returns providers, models, agents and the default model, and no keys', async () => {
    const catalog = await server.client.catalog(directory)
    expect(catalog.defaultModel).toBe('scripted/model')
    expect(catalog.providers).toMatchObject([{ id: 'scripted', models: [{ id: 'model' }, { id: 'other' }] }])
    expect(catalog.agents.map(({ name }) => name)).toEqual(expect.arrayContaining(['build', 'plan', 'general']))
    expect(JSON.stringify(catalog)).not.toMatch(/apiKey|baseURL/)
  })
})

describe('permission requests', () => {
  it('are listed, can be answered once, and are unknown afterwards', async () => {
    const { ref, recorder, subscription } = await begin('ask')
    await server.client.promptAsync({
      ...ref,
      messageId: newMessageId(),
      text: `go ${script([bash('echo hi'), { say: 'result: {{last_tool}}' }])}`,
    })
    await recorder.event('permission.asked', ref.sessionId)
    const [permission] = (await server.client.pendingPermissions(directory)).filter(
      (one) => one.sessionID === ref.sessionId,
    )
    expect(permission).toMatchObject({ permission: 'bash', patterns: ['echo hi'] })
    const request = { requestId: permission?.id ?? '', directory }
    await server.client.replyPermission(request, { reply: 'reject', message: 'not today' })
    await recorder.event('session.idle', ref.sessionId)
    subscription.close()
    // The model reads the message, and the turn continues to its end.
    const messages = await server.client.messages(ref)
    expect(JSON.stringify(messages)).toContain('not today')
    expect(messages.at(-1)?.info).toMatchObject({ role: 'assistant', finish: 'stop' })
    await expect(server.client.replyPermission(request, { reply: 'once' })).rejects.toMatchObject({
      code: 'request_not_found',
    })
    await expect(server.client.rejectQuestion({ requestId: 'que_none', directory })).rejects.toMatchObject({
      code: 'request_not_found',
    })
  })
})

describe('abortTree', () => {
  it('stops the session, its subagents, also those in the background, and their tools, and rejects their requests', async () => {
    const { ref, recorder, subscription } = await begin('ask')
    const subagent = (prompt: string, background: boolean) => ({
      tool: 'task',
      args: { description: 'part', subagent_type: 'general', prompt, background },
    })
    const outside = { tool: 'read', args: { filePath: '/etc/hostname' } }
    const text = `go ${script([subagent(`go ${script([outside, { say: 'read' }])}`, true), bash('sleep 300'), { say: 'end' }])}`
    await server.client.promptAsync({ ...ref, messageId: newMessageId(), text })
    const task = await recorder.event('permission.asked', ref.sessionId)
    await server.client.replyPermission({ requestId: task.properties.id, directory }, { reply: 'once' })
    // The event of the root's own creation may still arrive after the subscription starts.
    const child = await eventually('the subagent', () => subscription.sessions().find((id) => id !== ref.sessionId))
    await recorder.event('permission.asked', child)
    const pending = () => server.client.pendingPermissions(directory)
    await eventually('both sessions have a request', async () => (await pending()).length === 2)

    const aborted = await server.client.abortTree(ref)
    subscription.close()
    expect([...aborted].sort()).toEqual([ref.sessionId, child].sort())
    expect(await pending()).toEqual([])
    await eventually(
      'no session is running',
      async () => Object.keys(await server.client.statuses(directory)).length === 0,
    )
  })

  it('stops a running tool', async () => {
    const { ref, subscription } = await begin()
    const text = `go ${script([bash('sleep 300'), { say: 'end' }])}`
    const tools = () => descendants(server.state().pid ?? 0)
    await server.client.promptAsync({ ...ref, messageId: newMessageId(), text })
    await eventually('the tool runs', async () => (await tools()).length > 0)
    await server.client.abortTree(ref)
    subscription.close()
    await eventually('the tool has exited', async () => (await tools()).length === 0)
  })
})

describe('errors', () => {
  const policy = { maxRetries: 1, retryDelayMs: 10, timeoutMs: 300 }
  const at = (url: string) => createClient({ ...policy, endpoint: () => ({ url, password: 'x' }) })

  it('distinguish a session that does not exist from a call that was refused', async () => {
    const lost = { sessionId: 'ses_1f93e4fbf001Ng7aF2o1kgLTnc', directory }
    await expect(server.client.session(lost)).rejects.toMatchObject({ code: 'session_lost' })
    await expect(server.client.promptAsync({ ...lost, messageId: newMessageId(), text: 'x' })).rejects.toMatchObject({
      code: 'session_lost',
    })
    const { ref, subscription } = await begin()
    subscription.close()
    await expect(server.client.promptAsync({ ...ref, messageId: 'wrong', text: 'x' })).rejects.toMatchObject({
      code: 'opencode_error',
      retryable: false,
      message: expect.stringContaining('messageID'),
    })
  })

  it('report an unreachable or silent server as unavailable, after a retry', async () => {
    const unreachable = at(`http://127.0.0.1:${await freePort()}`)
    await expect(unreachable.createSession({ directory, title: 'x' })).rejects.toMatchObject({
      code: 'opencode_unavailable',
      retryable: true,
      context: { refused: true },
    })
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const startedAt = Date.now()
    await expect(at(`http://127.0.0.1:${port}`).statuses(directory)).rejects.toMatchObject({
      code: 'opencode_unavailable',
      message: expect.stringContaining('no answer in time'),
      context: { refused: false },
    })
    // Two tries of 300 ms and a short wait between them.
    expect(Date.now() - startedAt).toBeLessThan(3_000)
    silent.closeAllConnections()
    silent.close()
  })

  it('report a wrong password and a missing route', async () => {
    const { url = '' } = server.state()
    await expect(at(url).projects()).rejects.toMatchObject({ code: 'opencode_unavailable', context: { status: 401 } })
    const html = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<html>'))
    await new Promise<void>((resolve) => html.listen(0, '127.0.0.1', resolve))
    const address = html.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await expect(at(`http://127.0.0.1:${port}`).statuses(directory)).rejects.toMatchObject({
      code: 'opencode_error',
      retryable: false,
      message: expect.stringContaining('does not have the route'),
    })
    html.closeAllConnections()
    html.close()
  })

  it('pass on the reason of the caller when its signal fires', async () => {
    const reason = new Error('the task was cancelled')
    const signal = AbortSignal.abort(reason)
    await expect(server.client.statuses(directory, { signal })).rejects.toBe(reason)
  })
})
