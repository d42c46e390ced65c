// MCP clients of both protocol versions against the api: every tool, its results and its errors.

import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  Client as CurrentClient,
  StreamableHTTPClientTransport as CurrentTransport,
} from '@modelcontextprotocol/client'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { isTerminal, type NewEvent, newRequestId, type Status, type TaskId } from '@switchyard/contracts'
import { advance, openRequest, type Patch } from '@switchyard/records'
import type { AnsweringCalls } from '@switchyard/worker-calls'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTaskCalls } from '../../services/api/src/api.fixture.ts'
import { type RunningApi, startApi } from './api.ts'

type Result = {
  readonly isError?: boolean
  readonly structuredContent?: Record<string, unknown>
  readonly content: readonly { readonly type: string; readonly text?: string }[]
}

type Tool = {
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly inputSchema: { readonly type: string; readonly properties?: object; readonly additionalProperties?: unknown }
  readonly outputSchema?: object
  readonly annotations?: { readonly readOnlyHint?: boolean }
}

type AnyClient = {
  readonly call: (name: string, args?: Record<string, unknown>) => Promise<Result>
  readonly tools: () => Promise<readonly Tool[]>
  readonly version: () => string | undefined
  readonly close: () => Promise<void>
}

const INFO = { name: 'test', version: '1.0.0' }

const current =
  (mode: 'legacy' | 'auto' | { readonly pin: string }) =>
  async (url: string): Promise<AnyClient> => {
    const client = new CurrentClient(INFO, { versionNegotiation: { mode } })
    await client.connect(new CurrentTransport(new URL(url)))
    return {
      call: async (name, args = {}) => (await client.callTool({ name, arguments: args })) as Result,
      tools: async () => (await client.listTools()).tools as readonly Tool[],
      version: () => client.getNegotiatedProtocolVersion(),
      close: () => client.close(),
    }
  }

const old = async (url: string): Promise<AnyClient> => {
  const client = new OldClient(INFO)
  const transport = new OldTransport(new URL(url))
  // The types of the old SDK do not support exactOptionalPropertyTypes.
  await client.connect(transport as Parameters<typeof client.connect>[0])
  return {
    call: async (name, args = {}) => (await client.callTool({ name, arguments: args })) as Result,
    tools: async () => (await client.listTools()).tools as readonly Tool[],
    version: () => transport.protocolVersion,
    close: () => client.close(),
  }
}

const TOOLS = [
  'execute_task',
  'get_task_status',
  'send_task_message',
  'send_task_control',
  'reply_task_request',
  'list_tasks',
  'get_task_history',
  'get_task_files',
  'read_task_file',
  'get_task_diff',
  'publish_task',
  'opencode_project_start',
  'opencode_project_list',
  'opencode_project_status',
  'opencode_project_stop',
  'opencode_project_restart',
  'opencode_project_destroy',
  'opencode_sandbox_create',
  'opencode_sandbox_list',
  'opencode_sandbox_delete',
  'opencode_sandbox_reset',
  'opencode_get_deploy_key',
  'opencode_detect_duplicates',
  'opencode_sandbox_publish',
  'opencode_llm_config',
  'opencode_llm_set_model',
  'ping',
  'health',
]

let api: RunningApi
let worker: AnsweringCalls
const opened: AnyClient[] = []

beforeAll(async () => {
  api = await startApi()
  worker = await startTaskCalls(api)
})

afterEach(async () => {
  for (const client of opened.splice(0)) await client.close()
})

afterAll(async () => {
  await worker.stop()
  await api.close()
})

const write = async (id: TaskId, step: { to?: Status; set?: Patch; events?: NewEvent[] }) => {
  const set = step.to && isTerminal(step.to) ? { completed_at: new Date(), ...step.set } : step.set
  const written = await advance(api.records.db, { taskId: id, generation: null, ...step, ...(set ? { set } : {}) })
  if (!written) throw new Error(`the change of ${id} was rejected`)
  api.bus.publishTask(id, { kind: 'events', events: written.events })
}

const progress = (message: string): NewEvent => ({ type: 'task_progress', message, data: {} })

/** Returns the structured result of a successful call, and checks that its text is the same. */
const ok = (result: Result): Record<string, unknown> => {
  expect(result.isError, JSON.stringify(result)).not.toBe(true)
  expect(JSON.parse(result.content[0]?.text ?? '')).toEqual(result.structuredContent)
  return result.structuredContent ?? {}
}

const failure = (result: Result): Record<string, unknown> => {
  expect(result.isError).toBe(true)
  expect(result.structuredContent).toBeUndefined()
  return JSON.parse(result.content[0]?.text ?? '') as Record<string, unknown>
}

const git = (directory: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: directory })
    .toString()
    .trim()

const makeWorkspace = async (id: TaskId): Promise<{ directory: string; base: string }> => {
  const directory = path.join(api.workspacesDir, 'tasks', id)
  await mkdir(directory, { recursive: true })
  git(directory, 'init', '-q', '-b', 'main')
  await writeFile(path.join(directory, 'sum.js'), 'a - b\n')
  git(directory, 'add', '.')
  git(directory, 'commit', '-q', '-m', 'first')
  const base = git(directory, 'rev-parse', 'HEAD')
  await writeFile(path.join(directory, 'sum.js'), 'a + b\n')
  return { directory, base }
}

describe.each([
  ['2026-07-28', current({ pin: '2026-07-28' })],
  ['auto', current('auto')],
  ['2025, client v2', current('legacy')],
  ['2025, client v1', old],
] as const)('a client of the %s era', (era, connectClient) => {
  const connect = async () => {
    const client = await connectClient(api.url)
    opened.push(client)
    // Clients validate results only against schemas that they have listed.
    await client.tools()
    return client
  }

  const accept = async (client: AnyClient, args: Record<string, unknown> = {}): Promise<TaskId> =>
    ok(await client.call('execute_task', { task_description: 'do it', ...args })).task_id as TaskId

  it('negotiates its version and lists every tool with title, description and schemas', async () => {
    const client = await connect()
    expect(client.version()).toMatch(era.startsWith('2025') ? /^2025-/ : /^2026-07-28$/)
    const tools = await client.tools()
    expect(tools.map((tool) => tool.name)).toEqual(TOOLS)
    for (const tool of tools) {
      expect(tool.title?.length, tool.name).toBeGreaterThan(3)
      expect(tool.description?.length, tool.name).toBeGreaterThan(20)
      expect(tool.inputSchema).toMatchObject({ type: 'object', additionalProperties: false })
      expect(tool.outputSchema).toMatchObject({ type: 'object' })
      expect(typeof tool.annotations?.readOnlyHint).toBe('boolean')
    }
  })

  it('submits a task, waits for it, and reads its status and history', async () => {
    const client = await connect()
    const key = `key-${era}`
    const accepted = ok(await client.call('execute_task', { task_description: 'do it', idempotency_key: key }))
    expect(accepted).toMatchObject({ status: 'queued', deduplicated: false })
    const id = accepted.task_id as TaskId
    const again = await client.call('opencode_execute_task', { task_description: 'do it', idempotency_key: key })
    expect(ok(again)).toMatchObject({ task_id: id, deduplicated: true })
    const waiting = client.call('get_task_status', { task_id: id, wait_ms: 20_000 })
    await write(id, { to: 'preparing', events: [progress('started')] })
    await write(id, { to: 'running', events: [progress('runs')] })
    const artifact: NewEvent = { type: 'task_artifact', message: '1 file changed', data: { kind: 'diff' } }
    const done: NewEvent = { type: 'task_completed', message: 'done', data: {} }
    const result = {
      output: 'fixed',
      files_changed: ['sum.js'],
      additions: 1,
      deletions: 1,
      usage: { input: 1, output: 1, reasoning: 0, cache_read: 0, cache_write: 0 },
      cost: 0,
      exit_code: null,
    }
    await write(id, { to: 'completed', set: { result }, events: [progress('works'), artifact, done] })
    const status = ok(await waiting)
    expect(status).toMatchObject({ task_id: id, status: 'completed', result: { output: 'fixed' } })
    expect((status.last_events as { seq: number }[]).map((event) => event.seq)).toEqual([2, 3, 4, 5, 6])
    const waited = await client.call('execute_task', { task_description: 'do it', idempotency_key: key, sync: true })
    expect(ok(waited)).toMatchObject({ status: 'completed', result: { output: 'fixed' } })
    const page = ok(await client.call('get_task_history', { task_id: id, events_limit: 2, events_offset: 1 }))
    expect(page).toMatchObject({ total_events: 6, has_more_events: true })
    expect((page.events as { seq: number }[]).map((event) => event.seq)).toEqual([2, 3])
    const all = ok(await client.call('get_task_history', { task_id: id, events_limit: -1, include_artifacts: true }))
    expect(all.events).toHaveLength(6)
    expect(all.artifacts).toMatchObject([{ type: 'task_artifact' }])
    expect(all.has_more_events).toBe(false)
  })

  it('sends messages, replies and controls to a task', async () => {
    const client = await connect()
    const id = await accept(client)
    const sent = ok(
      await client.call('send_task_message', { task_id: id, message: 'use tabs', message_type: 'guidance' }),
    )
    expect(sent).toMatchObject({ task_id: id, delivered: false })
    await write(id, { to: 'preparing' })
    await write(id, { to: 'running' })
    const requestId = newRequestId()
    await openRequest(api.records.db, id, {
      id: requestId,
      opencode_id: requestId,
      session_id: 's',
      kind: 'permission',
      title: 'run npm test?',
      permission: 'bash',
      patterns: ['npm test'],
      always: [],
      questions: [],
      default_reply: 'reject',
      expires_at: new Date(Date.now() + 60_000),
    })
    await write(id, { to: 'input_required' })
    const listed = ok(await client.call('list_tasks', { limit: 1 }))
    expect(listed.tasks).toMatchObject([{ task_id: id, requests: [{ request_id: requestId }] }])
    const answered = await client.call('reply_task_request', { task_id: id, request_id: requestId, reply: 'always' })
    expect(ok(answered)).toMatchObject({ task_id: id, request_id: requestId })
    await write(id, { to: 'paused' })
    const resumed = ok(await client.call('send_task_control', { task_id: id, control: 'resume' }))
    expect(resumed).toMatchObject({ outcome: 'done', status: 'queued' })
    const cancelled = ok(await client.call('send_task_control', { task_id: id, control: 'cancel', reason: 'enough' }))
    expect(cancelled).toMatchObject({ outcome: 'done', status: 'cancelled' })
  })

  it('lists and reads files of the working directory, and its diff', async () => {
    const client = await connect()
    const id = await accept(client)
    const early = await client.call('get_task_files', { task_id: id })
    expect(failure(early)).toMatchObject({ code: 'workspace_unavailable', retryable: true })
    const { directory, base } = await makeWorkspace(id)
    await write(id, { to: 'preparing', set: { directory, base_commit: base } })
    const files = ok(await client.call('get_task_files', { task_id: id }))
    expect(files.entries).toMatchObject([{ name: 'sum.js', type: 'file', size: 6 }])
    const file = ok(await client.call('read_task_file', { task_id: id, file_path: 'sum.js', offset: 2, limit: 1 }))
    expect(file).toMatchObject({ content: '+', encoding: 'utf-8', size: 6, truncated: true })
    const diff = ok(await client.call('get_task_diff', { task_id: id }))
    expect(diff.files).toMatchObject([{ path: 'sum.js', status: 'modified', additions: 1, deletions: 1 }])
    expect(diff.diff).toContain('+a + b')
    for (const outside of ['../../../etc/passwd', '/etc/passwd', '.git/config'])
      expect(failure(await client.call('read_task_file', { task_id: id, file_path: outside }))).toMatchObject({
        code: 'path_outside_workspace',
      })
  })

  it('receives code, message and hint for an invalid call', async () => {
    const client = await connect()
    const misspelt = failure(await client.call('execute_task', { task_description: 'x', branche: 'b' }))
    expect(misspelt).toMatchObject({ code: 'invalid_request', retryable: false, hint: expect.any(String) })
    expect(misspelt.message).toContain('branche')
    const unknown = await client.call('get_task_status', { task_id: 'task_01K5A0Z9F6M2Q7R8S9T0V1W2X3' })
    expect(failure(unknown)).toMatchObject({ code: 'task_not_found' })
    expect(failure(await client.call('get_task_status', {}))).toMatchObject({ code: 'invalid_request' })
    await expect(client.call('no_such_tool')).rejects.toThrow(/no_such_tool/)
  })

  it('continues after a restart of the api', async () => {
    const client = await connect()
    const id = await accept(client)
    await api.restart()
    // A client may notice only with its next call that its open connection was closed.
    const status = await vi.waitFor(() => client.call('get_task_status', { task_id: id }), { timeout: 20_000 })
    expect(ok(status)).toMatchObject({ status: 'queued' })
    expect(ok(await client.call('ping'))).toMatchObject({ ok: true })
    expect(ok(await client.call('health'))).toMatchObject({ counts: { queued: expect.any(Number) } })
  })
})

// A 2025 client would wait forever for the rest of a stream that breaks.
it('answers a client of the 2025 era with JSON instead of a stream', async () => {
  const response = await fetch(api.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ping', arguments: {} } }),
  })
  expect(response.headers.get('content-type')).toMatch(/^application\/json/)
  expect(await response.json()).toMatchObject({ id: 1, result: { structuredContent: { ok: true } } })
})
