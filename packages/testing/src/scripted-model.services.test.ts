import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  DEFAULT_USAGE,
  FAILING_REPOSITORY,
  fixFailingTestScript,
  type OpenCodeProcess,
  type ScriptedModel,
  script,
  startOpenCode,
  startScriptedModel,
} from './index.ts'

type Message = { readonly role: string; readonly content: string }

const user = (content: string): Message => ({ role: 'user', content })
const assistant = (content: string): Message => ({ role: 'assistant', content })

type Answer = {
  readonly choices: readonly {
    readonly finish_reason: string
    readonly message: {
      readonly content: string | null
      readonly tool_calls?: readonly { readonly function: { readonly name: string; readonly arguments: string } }[]
    }
  }[]
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number }
}

describe('the scripted model over HTTP', () => {
  let model: ScriptedModel
  beforeEach(async () => {
    model = await startScriptedModel()
  })
  afterEach(() => model.close())

  const post = (messages: readonly Message[], more: object = {}) =>
    fetch(`${model.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'model', messages, ...more }),
      signal: AbortSignal.timeout(10_000),
    })
  const ask = async (...messages: readonly Message[]): Promise<Answer> =>
    (await post(messages)).json() as Promise<Answer>
  const answerTo = async (...messages: readonly Message[]) => (await ask(...messages)).choices[0]?.message.content

  it('repeats the message if the prompt has no script', async () => {
    expect(await answerTo(user('hello'))).toBe('You said: hello')
  })

  it('plays one step per assistant message since the script, then answers Done', async () => {
    const prompt = user(`Go. ${script([{ tool: 'bash', args: { command: 'ls' } }, { say: 'two' }])}`)
    const first = await ask(prompt)
    expect(first.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ function: { name: 'bash', arguments: '{"command":"ls"}' } }] },
    })
    expect(await answerTo(prompt, assistant(''), { role: 'tool', content: 'a' })).toBe('two')
    expect(await answerTo(prompt, assistant(''), assistant('two'))).toBe('Done.')
  })

  it('continues the script after a further user message, which a template can repeat', async () => {
    const prompt = user(script([{ say: 'one' }, { say: 'received {{last_user}}' }]))
    expect(await answerTo(prompt, assistant('one'), user('use tabs'))).toBe('received use tabs')
    expect(await answerTo(prompt, assistant('one'), assistant('two'), user('and now?'))).toBe('Acknowledged: and now?')
  })

  it('follows the newest script', async () => {
    expect(await answerTo(user(script([{ say: 'old' }])), assistant('old'), user(script([{ say: 'new' }])))).toBe('new')
  })

  it('passes a nested script to the subagent unchanged', async () => {
    const nested = `count ${script([{ say: 'in "brackets" ]] {{last_user}}' }])}`
    const answer = await ask(user(script([{ tool: 'task', args: { prompt: nested } }])))
    const call = answer.choices[0]?.message.tool_calls?.[0]?.function
    expect(JSON.parse(call?.arguments ?? '')).toEqual({ prompt: nested })
    expect(await answerTo(user(nested))).toBe('in "brackets" ]] count')
  })

  it('calls several tools in one step', async () => {
    const tools = [
      { tool: 'read', args: { filePath: 'a' } },
      { tool: 'read', args: { filePath: 'b' } },
    ]
    const answer = await ask(user(script([{ tools }])))
    expect(answer.choices[0]?.message.tool_calls).toHaveLength(2)
  })

  it('reports the same token counts for every turn unless the step has a usage', async () => {
    const prompt = user(
      script([{ say: 'a' }, { say: 'b', usage: { input: 7, output: 5, reasoning: 3, cache_read: 2 } }]),
    )
    expect((await ask(prompt)).usage).toMatchObject({
      prompt_tokens: DEFAULT_USAGE.input,
      completion_tokens: DEFAULT_USAGE.output,
    })
    expect((await ask(prompt, assistant('a'))).usage).toMatchObject({ prompt_tokens: 9, completion_tokens: 8 })
  })

  it('fails the scripted number of times, then answers', async () => {
    const prompt = user(script([{ fail: { status: 429, times: 2 } }, { say: 'at last' }]))
    expect((await post([prompt])).status).toBe(429)
    const second = await post([prompt])
    expect([second.status, second.headers.get('retry-after-ms')]).toEqual([429, '50'])
    expect(await answerTo(prompt)).toBe('at last')
  })

  it('answers an invalid script with 400', async () => {
    expect((await post([user('[[script: [{"say":}] ]]')])).status).toBe(400)
  })

  it('streams text in pieces and the tokens at the end', async () => {
    const prompt = user(script([{ stream: { chunks: 3, delay_ms: 1 } }]))
    const body = await (await post([prompt], { stream: true, stream_options: { include_usage: true } })).text()
    expect(body.match(/"content":"word\d /g)).toHaveLength(3)
    expect(body).toContain('"prompt_tokens":100')
    expect(body.trimEnd().endsWith('data: [DONE]')).toBe(true)
  })

  it('closes the connection in the middle of an answer once', async () => {
    const prompt = user(script([{ drop: true }, { say: 'whole' }]))
    const cut = await post([prompt], { stream: true })
    expect(cut.status).toBe(200)
    await expect(cut.text()).rejects.toThrow()
    expect(await (await post([prompt], { stream: true })).text()).toContain('whole')
  })

  it('delays an answer until its name is released over HTTP, and not the next one', async () => {
    const prompt = user(script([{ hold: 'gate 1' }, { say: 'free' }]))
    let answered = false
    const held = answerTo(prompt).finally(() => {
      answered = true
    })
    await model.waitForRequest((request) => request.turn === 0)
    expect(answered).toBe(false)
    await fetch(`${model.url}/control/release/gate%201`, { method: 'POST' })
    expect(await held).toBe('free')
    expect(await answerTo(prompt)).toBe('free')
  })

  it('drops an answer whose client has disconnected', async () => {
    const leaving = new AbortController()
    const held = fetch(`${model.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'model', messages: [user(script([{ hold: 'never' }, { say: 'x' }]))] }),
      signal: leaving.signal,
    })
    await model.waitForRequest(() => true)
    leaving.abort()
    await expect(held).rejects.toThrow()
    expect(await answerTo(user('still there?'))).toBe('You said: still there?')
  })

  it('rejects waitForRequest after its timeout', async () => {
    await expect(model.waitForRequest(() => false, 20)).rejects.toThrow('within 20 ms')
  })

  it('lists its models', async () => {
    const list = (await (await fetch(`${model.url}/v1/models`)).json()) as { data: { id: string }[] }
    expect(list.data.map(({ id }) => id)).toEqual(['model', 'other'])
  })
})

describe('the scripted model as a program', () => {
  it('prints its address and exits with 0 on SIGTERM', async () => {
    const main = fileURLToPath(new URL('./scripted-model-main.ts', import.meta.url))
    const child = spawn(process.execPath, [main, '--port', '0', '--host', '127.0.0.1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    try {
      const [line] = await once(createInterface(child.stdout), 'line', { signal: AbortSignal.timeout(10_000) })
      const url = /^scripted model listening on (http:\/\/127\.0\.0\.1:\d+)$/.exec(String(line))?.[1]
      expect((await fetch(`${url}/health`)).status).toBe(200)
    } finally {
      child.kill('SIGTERM')
    }
    expect(await ended).toEqual([0, null])
  })
})

describe('the scripted model behind the real OpenCode server', () => {
  let model: ScriptedModel
  let server: OpenCodeProcess
  let root: string
  beforeAll(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'switchyard-testing-')))
    model = await startScriptedModel()
    server = await startOpenCode({ modelUrl: model.url })
  })
  afterAll(async () => {
    await server?.close()
    await model?.close()
    if (root) await rm(root, { recursive: true, force: true })
  })

  const prompt = async (directory: string, sessionID: string, text: string) => {
    const { response } = await server
      .client(directory)
      .session.promptAsync({ sessionID, parts: [{ type: 'text', text }] })
    expect(response?.status).toBe(204)
  }
  const lastAnswer = async (directory: string, sessionID: string) =>
    ((await server.client(directory).session.messages({ sessionID })).data ?? [])
      .findLast((message) => message.info.role === 'assistant')
      ?.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
      .join('')
  const newSession = async (directory: string): Promise<string> =>
    (await server.client(directory).session.create({ title: 'test' })).data?.id ?? ''

  it("fixes the failing test of the demo's repository", async () => {
    for (const [name, content] of Object.entries(FAILING_REPOSITORY)) await writeFile(join(root, name), content)
    const session = await newSession(root)
    await prompt(root, session, `Make the test pass. ${fixFailingTestScript()}`)
    await expect.poll(() => lastAnswer(root, session), { timeout: 25_000 }).toContain('the test passes')
    expect(await readFile(join(root, 'sum.js'), 'utf8')).toContain('a + b')
    const outputs = ((await server.client(root).session.messages({ sessionID: session })).data ?? [])
      .flatMap((message) => message.parts)
      .flatMap((part) =>
        part.type === 'tool' && part.state.status === 'completed' && part.tool === 'bash' ? [part.state] : [],
      )
    expect(outputs.map((state) => state.metadata.exit)).toEqual([1, 0])
  })

  it('receives a message that the user sends during a turn', async () => {
    const session = await newSession(root)
    await prompt(root, session, script([{ say: 'first', hold: session }, { say: 'received: {{last_user}}' }]))
    await model.waitForRequest((request) => request.session === session && request.turn === 0)
    await prompt(root, session, 'use tabs')
    model.release(session)
    await expect.poll(() => lastAnswer(root, session), { timeout: 25_000 }).toBe('received: use tabs')
  })

  it('plays the scripts of several sessions at the same time', async () => {
    const sessions = await Promise.all(Array.from({ length: 12 }, () => newSession(root)))
    await Promise.all(
      sessions.map((session) =>
        prompt(root, session, script([{ tool: 'read', args: { filePath: 'sum.js' } }, { say: `end of ${session}` }])),
      ),
    )
    for (const session of sessions) {
      await expect.poll(() => lastAnswer(root, session), { timeout: 25_000 }).toBe(`end of ${session}`)
    }
  })
})
