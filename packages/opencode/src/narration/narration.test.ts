import type { AssistantMessage, Part, ToolPart } from '@opencode-ai/sdk/v2'
import { describe, expect, it } from 'vitest'
import { DIRECTORY, eventsOf, partsOf, readFixture, summaryOf } from './captured-session.fixture.ts'
import { maskSecrets, Narrator, narratePart, narrateStatus, summariseTurn, toTaskError } from './index.ts'
import { MAX_MESSAGE } from './text.ts'

const linesOf = async (name: string): Promise<readonly string[]> =>
  eventsOf(await readFixture(name)).map((event) => event.message)

const answer: AssistantMessage = {
  id: 'msg_1',
  sessionID: 'ses_1',
  role: 'assistant',
  time: { created: 1, completed: 2 },
  parentID: 'msg_0',
  modelID: 'model',
  providerID: 'scripted',
  mode: 'build',
  agent: 'build',
  path: { cwd: DIRECTORY, root: DIRECTORY },
  cost: 0,
  tokens: { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } },
  finish: 'stop',
}

const tool = (name: string, state: ToolPart['state'], id = 'prt_1'): ToolPart => ({
  id,
  sessionID: 'ses_1',
  messageID: 'msg_1',
  type: 'tool',
  callID: 'call_1',
  tool: name,
  state,
})

const running = (name: string, input: Record<string, unknown>): ToolPart =>
  tool(name, { status: 'running', input, time: { start: 1 } })

const completed = (name: string, input: Record<string, unknown>, output: string, metadata = {}): ToolPart =>
  tool(name, { status: 'completed', input, output, title: '', metadata, time: { start: 1, end: 51 } })

const textPart = (text: string, time: { start: number; end?: number } = { start: 1, end: 2 }): Part => ({
  id: 'prt_2',
  sessionID: 'ses_1',
  messageID: 'msg_1',
  type: 'text',
  text,
  time,
})

const firstEvent = (part: Part, message: AssistantMessage = answer) =>
  narratePart(part, message, { directory: DIRECTORY })[0]

describe('the events of a session', () => {
  it('describe a task from the first read to the passing test', async () => {
    expect((await linesOf('fixes-a-test')).filter((line) => !line.startsWith('step done'))).toEqual([
      'read sum.js …',
      'read sum.test.js …',
      'I will look at the code and its test first.',
      'read sum.js (1 line)',
      'read sum.test.js (7 lines)',
      'bash: node --test …',
      'bash: node --test → exit 1: 0 passed, 1 failed',
      'edit sum.js …',
      '`sum` subtracts. I will make it add.',
      'edit sum.js (+1 −1)',
      'bash: node --test …',
      'bash: node --test → exit 0: 1 passed, 0 failed',
      'The test failed because `sum` subtracted its arguments. It adds them now, and the test passes.',
    ])
  })

  it('name the file or command and the outcome of every tool call', async () => {
    const lines = await linesOf('uses-every-tool')
    for (const line of [
      'thinking: First I look around.',
      'glob *.js → 2 files',
      'grep sum → 4 matches',
      'read . (4 entries)',
      'read missing.txt → failed: File not found: missing.txt',
      'write docs/notes.md (new, 3 lines)',
      "bash: echo working; ls nowhere → exit 2: ls: cannot access 'nowhere': No such file or directory",
      'bash: sleep 20 → timed out after 0.5 s',
      'todo: 1 of 2 done, now: Write notes',
      'subagent general: Count the files …',
      '[Count the files (@general subagent)] bash: ls | wc -l → exit 0: 4',
      'subagent general: Count the files → There are a few.',
      'All done. That was it.',
    ])
      expect(lines).toContain(line)
  })

  it('report a tool that does not exist as an error, and never as running', async () => {
    const events = eventsOf(await readFixture('uses-every-tool')).filter((event) => event.data.tool === 'deploy')
    expect(events).toHaveLength(1)
    expect(events[0]?.message).toMatch(/^deploy → failed: Model tried to call unavailable tool 'deploy'/)
    expect(events[0]?.data).toMatchObject({ kind: 'tool', state: 'error' })
  })

  it('describe retries, a compaction, a rejected permission, an abort and an answered question', async () => {
    expect(await linesOf('retries')).toContain('model request failed; retrying (attempt 2): Rate limit reached')
    expect(await linesOf('is-compacted')).toContain('the conversation is too long for the model; compacting it')
    expect(await linesOf('has-a-permission-rejected')).toContain(
      'bash: ls → failed: The user rejected permission to use this specific tool call.',
    )
    expect(await linesOf('is-aborted')).toContain('bash: sleep 30 → aborted')
    expect(await linesOf('asks-a-question')).toContain('question: Which colour? → Blue')
  })

  it('are the same with the same keys however often a state arrives', async () => {
    const fixture = await readFixture('uses-every-tool')
    expect(eventsOf(fixture)).toEqual(eventsOf(fixture))
    const keys = eventsOf(fixture).map((event) => event.source_key)
    expect(new Set(keys).size).toBe(keys.length)
    const again = eventsOf({ ...fixture, streamed: [...fixture.streamed, ...fixture.streamed] })
    expect(again).toEqual(eventsOf(fixture))
  })

  it('lack only the starts when only the final state is known', async () => {
    const fixture = await readFixture('uses-every-tool')
    const keys = (events: ReturnType<typeof eventsOf>) => events.map((event) => event.source_key).sort()
    expect(keys(eventsOf({ ...fixture, streamed: [] }))).toEqual(
      keys(eventsOf(fixture)).filter((key) => !key?.endsWith(':running')),
    )
  })

  it('never report a tool as running after its end', async () => {
    const fixture = await readFixture('uses-every-tool')
    const narrator = new Narrator()
    const narrate = (part: Part) => narrator.narrate(part, answer, { directory: DIRECTORY })
    partsOf(fixture).forEach(narrate)
    const late = fixture.streamed.flatMap((item) => ('part' in item ? narrate(item.part) : []))
    expect(late.filter((event) => event.source_key?.endsWith(':running'))).toEqual([])
  })

  it('do not repeat the messages of the user', () => {
    const user = { ...textPart('do it'), messageID: 'msg_0' }
    const message = {
      id: 'msg_0',
      sessionID: 'ses_1',
      role: 'user' as const,
      time: { created: 1 },
      agent: 'build',
      model: { providerID: 'scripted', modelID: 'model' },
    }
    expect(narratePart(user, message, { directory: DIRECTORY })).toEqual([])
  })
})

describe('the data of an event', () => {
  it('contains a tool call with its exit code, duration and ids', () => {
    const part = completed('bash', { command: 'npm test' }, 'no\n', { exit: 3, truncated: false })
    expect(firstEvent(part)).toEqual({
      type: 'task_progress',
      message: 'bash: npm test → exit 3: no',
      data: {
        kind: 'tool',
        tool: 'bash',
        state: 'completed',
        call_id: 'call_1',
        title: '',
        input: { command: 'npm test' },
        output: 'no\n',
        truncated: false,
        exit_code: 3,
        duration_ms: 50,
        session_id: 'ses_1',
        message_id: 'msg_1',
        part_id: 'prt_1',
      },
      source_key: 'part:prt_1:completed',
    })
  })

  it('contains the changed files with their added and removed lines', async () => {
    const edits = eventsOf(await readFixture('fixes-a-test')).filter(
      (event) => event.data.tool === 'edit' && event.data.state === 'completed',
    )
    expect(edits[0]?.data.files).toEqual([{ path: 'sum.js', additions: 1, deletions: 1 }])
  })

  it('contains the session and the title of a subagent', async () => {
    const events = eventsOf(await readFixture('uses-every-tool'))
    const start = events.find((event) => event.data.tool === 'task' && event.data.state === 'completed')
    const within = events.find((event) => event.data.subagent !== undefined)
    expect(start?.data.child_session_id).toBe(within?.data.session_id)
  })

  it('stays small for large inputs and outputs, and says that it was truncated', () => {
    const part = completed('write', { filePath: 'a', content: 'é'.repeat(100_000) }, 'x'.repeat(100_000))
    const event = firstEvent(part)
    expect(Buffer.byteLength(JSON.stringify(event?.data))).toBeLessThan(10_000)
    expect(event?.data).toMatchObject({ truncated: true, input: { filePath: 'a' } })
  })

  it('contains up to 32 KB of a long text, and its start as the message', () => {
    const event = firstEvent(textPart('word '.repeat(20_000)))
    expect(event?.message.length).toBeLessThanOrEqual(MAX_MESSAGE)
    expect(Buffer.byteLength(String(event?.data.text))).toBe(32_768)
    expect(event?.data.truncated).toBe(true)
  })
})

describe('the message of an event', () => {
  it('is one line without control characters, terminal colours and characters that reorder text', () => {
    const event = firstEvent(textPart('one\r\n\u001b[31mtwo\u001b[0m\t\u0000three\u202egnp\u2028four'))
    expect(event?.message).toBe('one two three gnp four')
    expect(event?.data.text).not.toContain('\u0000')
  })

  it('is never truncated in the middle of a character', () => {
    const event = firstEvent(textPart('😀'.repeat(20_000)))
    expect(event?.message.isWellFormed()).toBe(true)
    expect(String(event?.data.text)).toMatch(/^(?:😀)+$/u)
  })

  it('appears when the text is complete, or when its message has ended', () => {
    const open = textPart('half', { start: 1 })
    expect(firstEvent(open, { ...answer, time: { created: 1 } })).toBeUndefined()
    expect(firstEvent(open)?.message).toBe('half')
  })

  it('contains paths in the directory relative to it, and others unchanged', () => {
    expect(firstEvent(running('read', { filePath: `${DIRECTORY}/src/a.ts` }))?.message).toBe('read src/a.ts …')
    expect(firstEvent(running('read', { filePath: '/etc/hosts' }))?.message).toBe('read /etc/hosts …')
    expect(firstEvent(running('bash', { command: `ls ${DIRECTORY}2/x ${DIRECTORY}` }))?.message).toBe(
      `bash: ls ${DIRECTORY}2/x . …`,
    )
  })

  it('shows the arguments of an unknown tool', () => {
    expect(firstEvent(completed('jira_create', { project: 'X', tags: ['a'] }, 'X-1\nmore'))?.message).toBe(
      'jira_create: project=X tags=["a"] → X-1',
    )
  })
})

describe('a secret', () => {
  const key = `-----BEGIN OPENSSH PRIVATE KEY-----\n${'b3Bl\n'.repeat(50)}-----END OPENSSH PRIVATE KEY-----`

  it.each([
    [
      'an authorization header',
      'curl -H "Authorization: Bearer abcdef123456" x',
      'curl -H "Authorization: Bearer ***" x',
    ],
    ['a model key', `use sk-ant-${'a1'.repeat(12)} now`, 'use *** now'],
    ['a GitHub token', `ghp_${'a1'.repeat(18)}`, '***'],
    ['a private key', `a ${key} b`, 'a *** b'],
    ['a truncated private key', `a ${key.slice(0, 90)}`, 'a ***'],
    ['a variable', 'MATRIX_ACCESS_TOKEN=hunter22 DEBUG=1', 'MATRIX_ACCESS_TOKEN=*** DEBUG=1'],
    ['a password in a URL', 'git clone https://me:hunter2@example.com/r', 'git clone https://***@example.com/r'],
  ])('is masked: %s', (_, text, masked) => {
    expect(maskSecrets(text)).toBe(masked)
  })

  it('is masked in messages, inputs and outputs alike', () => {
    const secret = `ghp_${'a'.repeat(36)}`
    const input = { command: `echo ${secret}`, nested: [{ password: 'hunter2', note: secret }] }
    expect(JSON.stringify(firstEvent(completed('bash', input, `${secret}\n`, { exit: 0 })))).not.toMatch(/ghp_|hunter2/)
  })

  it('is not found in ordinary code', () => {
    const code = 'const token = getToken(password: string) // https://example.com:8080/a@b'
    expect(maskSecrets(code)).toBe(code)
  })
})

describe('the status of a session', () => {
  it('becomes an event only for a retry, with the key of that retry', () => {
    expect(narrateStatus('ses_1', { type: 'busy' })).toEqual([])
    expect(narrateStatus('ses_1', { type: 'idle' })).toEqual([])
    expect(narrateStatus('ses_1', { type: 'retry', attempt: 2, message: '429', next: 5 })).toEqual([
      {
        type: 'task_progress',
        message: 'model request failed; retrying (attempt 2): 429',
        data: { kind: 'retry', attempt: 2, error: '429', next_at: '1970-01-01T00:00:00.005Z', session_id: 'ses_1' },
        source_key: 'retry:ses_1:2:5',
      },
    ])
  })
})

describe('the summary of a turn', () => {
  it('adds up tokens and cost over the session and its subagents', async () => {
    expect(summaryOf(await readFixture('uses-every-tool'))).toEqual({
      end: 'finished',
      error: null,
      output: 'All done.\n\nThat was it.',
      usage: { input: 1007, output: 105, reasoning: 3, cache_read: 2, cache_write: 0 },
      cost: 0.0020872,
      finish: 'stop',
      model: 'scripted/model',
    })
  })

  it.each([
    ['has-its-key-rejected', 'failed', 'provider_auth', false],
    ['has-its-request-rejected', 'failed', 'model_error', false],
    ['exhausts-its-retries', 'failed', 'model_error', true],
    ['is-filtered', 'failed', 'model_error', false],
    ['runs-out-of-output', 'failed', 'output_limit', false],
    ['has-a-permission-rejected', 'halted', 'request_rejected', false],
  ])('of a session that %s is %s with %s', async (name, end, code, retryable) => {
    expect(summaryOf(await readFixture(name))).toMatchObject({ end, error: { code, retryable } })
  })

  it('reports an abort, and the last answer before it', async () => {
    expect(summaryOf(await readFixture('is-aborted'))).toMatchObject({
      end: 'aborted',
      error: null,
      output: 'I will wait.',
    })
  })

  it('does not use the summary of a compaction as the answer', async () => {
    const fixture = await readFixture('is-compacted')
    const [root] = fixture.sessions
    const compacted = root?.messages.findIndex(({ info }) => info.role === 'assistant' && info.summary === true) ?? -1
    expect(compacted).toBeGreaterThan(0)
    expect(summariseTurn([root?.messages.slice(0, compacted + 1) ?? []])).toMatchObject({ end: 'open', output: '' })
    expect(summaryOf(fixture)).toMatchObject({ end: 'finished', output: 'After the compaction.' })
  })

  it('is open while the answer is incomplete, overflows or calls tools, and unanswered before that', async () => {
    const { sessions } = await readFixture('fixes-a-test')
    const messages = sessions[0]?.messages ?? []
    expect(summariseTurn([]).end).toBe('unanswered')
    expect(summariseTurn([messages.slice(0, 1)]).end).toBe('unanswered')
    expect(summariseTurn([messages.slice(0, 2)]).end).toBe('open')
    const incomplete = { ...answer, time: { created: 1 } }
    expect(summariseTurn([[{ info: incomplete, parts: [] }]]).end).toBe('open')
    const { finish: _, ...overflowed } = answer
    expect(summariseTurn([[{ info: overflowed, parts: [] }]]).end).toBe('open')
  })

  it('maps every error of OpenCode to a code, even a missing one', () => {
    expect(toTaskError({ name: 'ProviderAuthError', data: { providerID: 'x', message: 'no key' } }).code).toBe(
      'provider_auth',
    )
    expect(toTaskError({ name: 'UnknownError', data: { message: 'boom' } }).code).toBe('opencode_error')
    expect(toTaskError({ name: 'ContextOverflowError', data: { message: 'too long' } })).toMatchObject({
      code: 'model_error',
      retryable: false,
    })
    expect(toTaskError(undefined)).toMatchObject({ code: 'opencode_error', message: 'no reason given' })
  })
})
