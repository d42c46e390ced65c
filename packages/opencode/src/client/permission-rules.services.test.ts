import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Permissions } from '@switchyard/contracts'
import {
  OWN_MODELS_ONLY,
  opencodeConfig,
  type ScriptedModel,
  type ScriptStep,
  script,
  startScriptedModel,
} from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDirectories, createRecorder, quiet } from '../opencode.fixture.ts'
import { OpenCodeServer } from '../opencode-server.ts'
import { childServer } from '../server/child-server.ts'
import { newMessageId } from './message-ids.ts'
import { automaticReply, permissionRules } from './permission-rules.ts'

let directories: Awaited<ReturnType<typeof createDirectories>>
let model: ScriptedModel
let server: OpenCodeServer
let outside: string

beforeAll(async () => {
  directories = await createDirectories()
  model = await startScriptedModel()
  outside = path.join(directories.root, 'outside')
  await mkdir(outside)
  await writeFile(path.join(outside, 'note.txt'), 'outside')
  await writeFile(path.join(directories.directory, '.env'), 'SECRET=1')
  await writeFile(path.join(directories.directory, 'a.txt'), 'hello')
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, ...OWN_MODELS_ONLY }
  const config = {
    ...opencodeConfig(model.url),
    permission: { bash: { '*': 'ask' as const, 'git push*': 'deny' as const } },
  }
  server = OpenCodeServer.start({
    launcher: childServer({ dataDir: directories.dataDir, env, config, logger: quiet }),
    logger: quiet,
  })
  await server.ready()
})

afterAll(async () => {
  await server?.close()
  await model?.close()
  await directories?.remove()
})

type Turn = {
  /** `tool:status` in the order of the calls, with a leading > for subagents. Unavailable tools appear as `invalid`. */
  readonly tools: readonly string[]
  /** The permissions requested, or `question`, with a leading > for subagents. Each was answered with `once`. */
  readonly requested: readonly string[]
}

/** Runs one turn to its end, with the rules of the policy and of the agent. */
const turn = async (policy: Permissions, steps: readonly ScriptStep[], agent = 'build'): Promise<Turn> => {
  const { directory } = directories
  const { agents } = await server.client.catalog(directory)
  const permission = permissionRules(policy, agents.find(({ name }) => name === agent)?.permission)
  const session = await server.client.createSession({ directory, title: policy, permission })
  const recorder = createRecorder()
  const requested: string[] = []
  const mark = (sessionID: string) => (sessionID === session.id ? '' : '>')
  const subscription = server.subscribe(
    session.id,
    directory,
    (message) => {
      recorder.listener(message)
      if (message.kind !== 'event') return
      const { event } = message
      if (event.type === 'permission.asked') {
        requested.push(`${mark(event.properties.sessionID)}${event.properties.permission}`)
        void server.client.replyPermission({ requestId: event.properties.id, directory }, { reply: 'once' })
      }
      if (event.type === 'question.asked') {
        requested.push(`${mark(event.properties.sessionID)}question`)
        const { id, questions } = event.properties
        void server.client.replyQuestion(
          { requestId: id, directory },
          questions.map(() => ['yes']),
        )
      }
    },
    { isNew: true },
  )
  await subscription.established
  const text = `go ${script([...steps, { say: 'the end' }])}`
  await server.client.promptAsync({ sessionId: session.id, directory, messageId: newMessageId(), text, agent })
  await recorder.event('session.idle', session.id)
  subscription.close()
  const calls = new Map<string, string>()
  for (const event of recorder.events('message.part.updated')) {
    if (event.type !== 'message.part.updated' || event.properties.part.type !== 'tool') continue
    const { id, tool, state, sessionID } = event.properties.part
    calls.set(id, `${mark(sessionID)}${tool}:${state.status}`)
  }
  return { tools: [...calls.values()], requested }
}

const bash = (command: string): ScriptStep => ({ tool: 'bash', args: { command, description: 'runs' } })
const write = (): ScriptStep => ({
  tool: 'write',
  args: { filePath: path.join(directories.directory, 'b.txt'), content: 'b' },
})
const read = (file: string): ScriptStep => ({ tool: 'read', args: { filePath: file } })
const readEnv = () => read(path.join(directories.directory, '.env'))
const readOutside = () => read(path.join(outside, 'note.txt'))
const grep = (): ScriptStep => ({ tool: 'grep', args: { pattern: 'hello' } })
const question = (): ScriptStep => ({
  tool: 'question',
  args: { questions: [{ question: 'Go on?', header: 'Go', options: [{ label: 'yes', description: 'do' }] }] },
})
const subagent = (...steps: ScriptStep[]): ScriptStep => ({
  tool: 'task',
  args: { description: 'part', subagent_type: 'general', prompt: `go ${script([...steps, { say: 'done' }])}` },
})

describe('allow', () => {
  it('requests nothing, even outside the directory and where the config says ask', async () => {
    const { tools, requested } = await turn('allow', [readEnv(), readOutside(), bash('echo hi'), write(), grep()])
    expect(requested).toEqual([])
    expect(tools).toEqual(['read:completed', 'read:completed', 'bash:completed', 'write:completed', 'grep:completed'])
  })

  it('hides the question tool, so that no turn waits for an answer', async () => {
    expect(await turn('allow', [question(), subagent(question())])).toEqual({
      tools: ['invalid:completed', 'task:completed', '>invalid:completed'],
      requested: [],
    })
  })

  it('lets subagents work, and answers their remaining requests automatically', async () => {
    const { tools, requested } = await turn('allow', [subagent(readOutside(), write(), readEnv())])
    expect(tools).toEqual(['task:completed', '>read:completed', '>write:completed', '>read:completed'])
    expect(requested).toEqual(['>read'])
    expect(automaticReply('allow')).toEqual({ reply: 'once' })
  })

  it('cannot turn off the request after three equal calls in one step, which is answered automatically', async () => {
    const same = { tool: 'bash', args: { command: 'echo same', description: 'runs' } }
    const { requested } = await turn('allow', [{ tools: [same, same, same] }])
    expect(requested).toContain('doom_loop')
  })

  it('does not allow what the agent or the config of the caller denies', async () => {
    expect(await turn('allow', [write()], 'plan')).toEqual({ tools: ['write:error'], requested: [] })
    expect(await turn('allow', [bash('git push origin main')])).toEqual({ tools: ['bash:error'], requested: [] })
    expect(await turn('ask', [bash('git push origin main')])).toEqual({ tools: ['bash:error'], requested: [] })
  })
})

describe('ask', () => {
  it('reads and searches without a request', async () => {
    const steps = [read(path.join(directories.directory, 'a.txt')), grep()]
    expect(await turn('ask', steps)).toEqual({ tools: ['read:completed', 'grep:completed'], requested: [] })
  })

  it('requests permission to edit, run, leave the directory or read secrets, and allows questions', async () => {
    const { tools, requested } = await turn('ask', [write(), bash('echo hi'), readOutside(), readEnv(), question()])
    expect(requested).toEqual(['edit', 'bash', 'external_directory', 'read', 'question'])
    expect(tools.every((tool) => tool.endsWith(':completed'))).toBe(true)
  })

  it('requests permission to start a subagent, which may then read but neither edit nor run anything', async () => {
    const { tools, requested } = await turn('ask', [subagent(grep(), bash('echo hi'), write(), readOutside())])
    expect(requested).toEqual(['task', '>external_directory'])
    expect(tools).toEqual(['task:completed', '>grep:completed', '>bash:error', '>invalid:completed', '>read:completed'])
  })
})

describe('deny', () => {
  it('only reads, and requests nothing', async () => {
    const steps = [grep(), write(), bash('echo hi'), readOutside(), readEnv(), question(), subagent(grep())]
    const { tools, requested } = await turn('deny', steps)
    expect(requested).toEqual([])
    expect(tools[0]).toBe('grep:completed')
    // The tool `invalid` is denied too, so a denied tool appears under its own name, as an error.
    expect(tools.slice(1)).toEqual(['write', 'bash', 'read', 'read', 'question', 'task'].map((tool) => `${tool}:error`))
  })
})
