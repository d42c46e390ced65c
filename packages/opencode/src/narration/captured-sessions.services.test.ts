// Compares the events of a real server with those of the fixtures. CAPTURE_FIXTURES=1 writes the fixtures again.

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Event, OpencodeClient, PermissionRuleset } from '@opencode-ai/sdk/v2'
import {
  FAILING_REPOSITORY,
  fixFailingTestSteps,
  type OpenCodeProcess,
  type ScriptedModel,
  type ScriptStep,
  script,
  startOpenCode,
  startScriptedModel,
} from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionMessage } from '../client/session-types.ts'
import {
  type CapturedSession,
  DIRECTORY,
  eventsOf,
  readFixture,
  type StreamItem,
  summaryOf,
  writeFixture,
} from './captured-session.fixture.ts'
import { summariseTurn } from './turn-summary.ts'

const SCENARIOS: readonly {
  readonly name: string
  readonly steps: readonly ScriptStep[]
  readonly rules?: PermissionRuleset
  readonly meanwhile?: (client: OpencodeClient, sessionId: string) => Promise<void>
}[] = [
  { name: 'fixes-a-test', steps: fixFailingTestSteps },
  {
    name: 'uses-every-tool',
    steps: [
      {
        think: 'First I look around.',
        tools: [
          { tool: 'glob', args: { pattern: '*.js' } },
          { tool: 'grep', args: { pattern: 'sum' } },
        ],
      },
      {
        tools: [
          { tool: 'read', args: { filePath: '{{directory}}' } },
          { tool: 'read', args: { filePath: 'missing.txt' } },
        ],
      },
      { tool: 'write', args: { filePath: '{{directory}}/docs/notes.md', content: '# Notes\n\nNothing yet.\n' } },
      { tool: 'bash', args: { command: 'echo working; ls {{directory}}/nowhere', description: 'List' } },
      { tool: 'bash', args: { command: 'sleep 20', timeout: 500, description: 'Wait' } },
      {
        tool: 'todowrite',
        args: {
          todos: [
            { content: 'Look around', status: 'completed', priority: 'high' },
            { content: 'Write notes', status: 'in_progress', priority: 'low' },
          ],
        },
      },
      { tool: 'deploy', args: { target: 'production' } },
      {
        tool: 'task',
        args: {
          description: 'Count the files',
          subagent_type: 'general',
          prompt: `Count. ${script([{ tool: 'bash', args: { command: 'ls | wc -l', description: 'Count' } }, { say: 'There are a few.' }])}`,
        },
      },
      { say: 'All done.\n\nThat was it.', usage: { input: 7, output: 5, reasoning: 3, cache_read: 2 } },
    ],
  },
  { name: 'retries', steps: [{ fail: { status: 429, times: 2 } }, { say: 'There.' }] },
  { name: 'has-its-key-rejected', steps: [{ fail: { status: 401, times: 0 } }] },
  { name: 'has-its-request-rejected', steps: [{ fail: { status: 400, times: 0 } }] },
  { name: 'exhausts-its-retries', steps: [{ fail: { status: 503, times: 0, retry_after_ms: 1 } }] },
  { name: 'is-filtered', steps: [{ say: 'Half an', finish: 'content_filter' }] },
  { name: 'runs-out-of-output', steps: [{ say: 'Half an', finish: 'length' }] },
  {
    name: 'is-compacted',
    steps: [
      { tool: 'read', args: { filePath: 'sum.js' } },
      { fail: { status: 400, message: "This model's maximum context length is 200000 tokens." } },
      { say: 'After the compaction.' },
    ],
  },
  {
    name: 'is-aborted',
    steps: [{ say: 'I will wait.', tool: 'bash', args: { command: 'sleep 30', description: 'Wait' } }],
    meanwhile: async (client, sessionID) => {
      await expect.poll(async () => toolStates(client, sessionID), { timeout: 15_000 }).toContain('running')
      await client.session.abort({ sessionID })
    },
  },
  {
    name: 'has-a-permission-rejected',
    steps: [{ tool: 'bash', args: { command: 'ls', description: 'List' } }, { say: 'never said' }],
    rules: [{ permission: 'bash', pattern: '*', action: 'ask' }],
    meanwhile: async (client) => {
      await expect.poll(async () => (await client.permission.list()).data?.[0], { timeout: 15_000 }).toBeDefined()
      const requestID = (await client.permission.list()).data?.[0]?.id ?? ''
      await client.permission.reply({ requestID, reply: 'reject' })
    },
  },
  {
    name: 'asks-a-question',
    steps: [
      {
        tool: 'question',
        args: {
          questions: [
            {
              question: 'Which colour?',
              header: 'Colour',
              options: [
                { label: 'Red', description: 'warm' },
                { label: 'Blue', description: 'cold' },
              ],
            },
          ],
        },
      },
      { say: 'Blue it is.' },
    ],
    meanwhile: async (client) => {
      await expect.poll(async () => (await client.question.list()).data?.[0], { timeout: 15_000 }).toBeDefined()
      const requestID = (await client.question.list()).data?.[0]?.id ?? ''
      await client.question.reply({ requestID, answers: [['Blue']] })
    },
  },
]

describe('a session of the real server', () => {
  let model: ScriptedModel
  let server: OpenCodeProcess
  let root: string

  beforeAll(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'switchyard-narration-')))
    model = await startScriptedModel()
    server = await startOpenCode({ modelUrl: model.url })
  })
  afterAll(async () => {
    await server?.close()
    await model?.close()
    await rm(root, { recursive: true, force: true })
  })

  it.each(SCENARIOS)('that $name has the events and summary of its fixture', async (scenario) => {
    const directory = await repository(join(root, scenario.name))
    const client = server.client(directory)
    const recorder = await recordStream(client)
    const created = await client.session.create({
      title: scenario.name,
      ...(scenario.rules ? { permission: scenario.rules } : {}),
    })
    const sessionID = created.data?.id ?? ''
    await client.session.promptAsync({
      sessionID,
      parts: [{ type: 'text', text: `Please. ${script(scenario.steps)}` }],
    })
    await scenario.meanwhile?.(client, sessionID)
    await expect.poll(() => hasEnded(client, sessionID), { timeout: 25_000, interval: 100 }).toBe(true)
    const captured: CapturedSession = { sessions: await sessionsOf(client, sessionID), streamed: recorder.stop() }
    if (process.env.CAPTURE_FIXTURES) await writeFixture(scenario.name, captured, directory)
    expect(narrated(captured, directory)).toEqual(narrated(await readFixture(scenario.name), DIRECTORY))
  })
})

/** Sorted, because the tools of one step run concurrently and end in any order. */
const narrated = (captured: CapturedSession, directory: string): unknown => ({
  messages: eventsOf(captured, directory)
    .map((event) => `${event.type}: ${event.message}`)
    .sort(),
  summary: summaryOf(captured),
})

const repository = async (directory: string): Promise<string> => {
  await mkdir(directory)
  for (const [name, content] of Object.entries(FAILING_REPOSITORY)) await writeFile(join(directory, name), content)
  await promisify(execFile)('git', ['init', '--quiet'], { cwd: directory })
  return directory
}

const hasEnded = async (client: OpencodeClient, sessionID: string): Promise<boolean> => {
  const [statuses, messages] = await Promise.all([client.session.status(), client.session.messages({ sessionID })])
  const { end } = summariseTurn([messages.data ?? []])
  return statuses.data?.[sessionID] === undefined && end !== 'open' && end !== 'unanswered'
}

const toolStates = async (client: OpencodeClient, sessionID: string): Promise<readonly string[]> =>
  ((await client.session.messages({ sessionID })).data ?? [])
    .flatMap((message) => message.parts)
    .flatMap((part) => (part.type === 'tool' ? [part.state.status] : []))

const sessionsOf = async (client: OpencodeClient, sessionID: string): Promise<CapturedSession['sessions']> => {
  const children = (await client.session.children({ sessionID })).data ?? []
  const read = async (id: string): Promise<readonly SessionMessage[]> =>
    (await client.session.messages({ sessionID: id })).data ?? []
  return [
    { id: sessionID, title: null, messages: await read(sessionID) },
    ...(await Promise.all(children.map(async ({ id, title }) => ({ id, title, messages: await read(id) })))),
  ]
}

/** Records the parts and retries of a directory until it is stopped. */
const recordStream = async (client: OpencodeClient): Promise<{ readonly stop: () => readonly StreamItem[] }> => {
  const stopping = new AbortController()
  const streamed: StreamItem[] = []
  const { stream } = await client.event.subscribe({}, { signal: stopping.signal })
  const connected = Promise.withResolvers<void>()
  const read = async () => {
    for await (const event of stream as AsyncIterable<Event>) {
      connected.resolve()
      if (event.type === 'message.part.updated') streamed.push({ part: event.properties.part })
      if (event.type === 'session.status' && event.properties.status.type === 'retry') {
        streamed.push({ sessionId: event.properties.sessionID, status: event.properties.status })
      }
    }
  }
  read().catch(connected.reject)
  await connected.promise
  return {
    stop: () => {
      stopping.abort()
      return streamed
    },
  }
}
