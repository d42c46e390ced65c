import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Permissions } from '@switchyard/contracts'
import { opencodeConfig, type ScriptedModel, type ScriptStep, script, startScriptedModel } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPlace, createRecorder, quiet } from '../opencode.fixture.ts'
import { OpenCodeServer } from '../opencode-server.ts'
import { childServer } from '../server/child-server.ts'
import { newMessageId } from './message-ids.ts'
import { automaticReply, permissionRules } from './permission-rules.ts'

let place: Awaited<ReturnType<typeof createPlace>>
let model: ScriptedModel
let server: OpenCodeServer
let outside: string

beforeAll(async () => {
  place = await createPlace()
  model = await startScriptedModel()
  outside = path.join(place.root, 'outside')
  await mkdir(outside)
  await writeFile(path.join(outside, 'note.txt'), 'outside')
  await writeFile(path.join(place.directory, '.env'), 'SECRET=1')
  await writeFile(path.join(place.directory, 'a.txt'), 'hello')
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, OPENCODE_DISABLE_MODELS_FETCH: '1' }
  const config = {
    ...opencodeConfig(model.url),
    permission: { bash: { '*': 'ask' as const, 'git push*': 'deny' as const } },
  }
  server = OpenCodeServer.start({
    launcher: childServer({ dataDir: place.dataDir, env, config, logger: quiet }),
    logger: quiet,
  })
  await server.ready()
})

afterAll(async () => {
  await server?.close()
  await model?.close()
  await place?.remove()
})

type Turn = {
  /** `tool:status` in the order of the calls; subagents' with a leading >. Tools that were not there show as `invalid`. */
  readonly tools: readonly string[]
  /** What was asked: permission names, or `question`; subagents' with a leading >. Each was answered with `once`. */
  readonly asked: readonly string[]
}

/** Runs one turn to its end, with the agent's own rules behind the policy's. */
const turn = async (policy: Permissions, steps: readonly ScriptStep[], agent = 'build'): Promise<Turn> => {
  const { directory } = place
  const { agents } = await server.client.catalog(directory)
  const permission = permissionRules(policy, agents.find(({ name }) => name === agent)?.permission)
  const session = await server.client.createSession({ directory, title: policy, permission })
  const recorder = createRecorder()
  const asked: string[] = []
  const mark = (sessionID: string) => (sessionID === session.id ? '' : '>')
  const subscription = server.subscribe(
    session.id,
    directory,
    (message) => {
      recorder.listener(message)
      if (message.kind !== 'event') return
      const { event } = message
      if (event.type === 'permission.asked') {
        asked.push(`${mark(event.properties.sessionID)}${event.properties.permission}`)
        void server.client.replyPermission({ requestId: event.properties.id, directory }, { reply: 'once' })
      }
      if (event.type === 'question.asked') {
        asked.push(`${mark(event.properties.sessionID)}question`)
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
  return { tools: [...calls.values()], asked }
}

const bash = (command: string): ScriptStep => ({ tool: 'bash', args: { command, description: 'runs' } })
const write = (): ScriptStep => ({
  tool: 'write',
  args: { filePath: path.join(place.directory, 'b.txt'), content: 'b' },
})
const read = (file: string): ScriptStep => ({ tool: 'read', args: { filePath: file } })
const readEnv = () => read(path.join(place.directory, '.env'))
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
  it('asks for nothing, outside the directory and against the config’s own asks included', async () => {
    const { tools, asked } = await turn('allow', [readEnv(), readOutside(), bash('echo hi'), write(), grep()])
    expect(asked).toEqual([])
    expect(tools).toEqual(['read:completed', 'read:completed', 'bash:completed', 'write:completed', 'grep:completed'])
  })

  it('never hangs on a question: the tool is not there', async () => {
    expect(await turn('allow', [question(), subagent(question())])).toEqual({
      tools: ['invalid:completed', 'task:completed', '>invalid:completed'],
      asked: [],
    })
  })

  it('lets subagents work, and its standing reply answers what they still ask', async () => {
    const { tools, asked } = await turn('allow', [subagent(readOutside(), write(), readEnv())])
    expect(tools).toEqual(['task:completed', '>read:completed', '>write:completed', '>read:completed'])
    expect(asked).toEqual(['>read'])
    expect(automaticReply('allow')).toEqual({ reply: 'once' })
  })

  it('cannot turn off the ask after three equal calls in one step, so the standing reply answers it', async () => {
    const same = { tool: 'bash', args: { command: 'echo same', description: 'runs' } }
    const { asked } = await turn('allow', [{ tools: [same, same, same] }])
    expect(asked).toContain('doom_loop')
  })

  it('leaves what the agent or the caller’s config denies denied', async () => {
    expect(await turn('allow', [write()], 'plan')).toEqual({ tools: ['write:error'], asked: [] })
    expect(await turn('allow', [bash('git push origin main')])).toEqual({ tools: ['bash:error'], asked: [] })
    expect(await turn('ask', [bash('git push origin main')])).toEqual({ tools: ['bash:error'], asked: [] })
  })
})

describe('ask', () => {
  it('reads and searches freely', async () => {
    const steps = [read(path.join(place.directory, 'a.txt')), grep()]
    expect(await turn('ask', steps)).toEqual({ tools: ['read:completed', 'grep:completed'], asked: [] })
  })

  it('asks before it changes, runs, leaves the directory or reads secrets, and may put questions', async () => {
    const { tools, asked } = await turn('ask', [write(), bash('echo hi'), readOutside(), readEnv(), question()])
    expect(asked).toEqual(['edit', 'bash', 'external_directory', 'read', 'question'])
    expect(tools.every((tool) => tool.endsWith(':completed'))).toBe(true)
  })

  it('asks before a subagent starts, which then may read but neither change nor run anything', async () => {
    const { tools, asked } = await turn('ask', [subagent(grep(), bash('echo hi'), write(), readOutside())])
    expect(asked).toEqual(['task', '>external_directory'])
    expect(tools).toEqual(['task:completed', '>grep:completed', '>bash:error', '>invalid:completed', '>read:completed'])
  })
})

describe('deny', () => {
  it('reads, and does nothing else, without asking', async () => {
    const steps = [grep(), write(), bash('echo hi'), readOutside(), readEnv(), question(), subagent(grep())]
    const { tools, asked } = await turn('deny', steps)
    expect(asked).toEqual([])
    expect(tools[0]).toBe('grep:completed')
    // `invalid` is denied as well, so what is not offered shows under its own name, as an error.
    expect(tools.slice(1)).toEqual(['write', 'bash', 'read', 'read', 'question', 'task'].map((tool) => `${tool}:error`))
  })
})
