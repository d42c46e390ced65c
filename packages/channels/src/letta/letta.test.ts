import { type LettaServer, startLettaServer } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LettaChannel, type LettaMessage } from './letta.ts'

const TOKEN = 'the token of a test'

let server: LettaServer
let agentId: string
beforeEach(async () => {
  server = await startLettaServer()
  server.setToken(TOKEN)
  agentId = server.addAgent()
})
afterEach(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

const send = (message: Partial<LettaMessage> = {}, options: { url?: string; token?: string } = {}) =>
  new LettaChannel({ url: server.url, token: TOKEN, timeoutMs: 500, ...options }).send({
    id: 'dlv_1',
    agentId,
    text: 'it has ended',
    runId: null,
    attempt: 1,
    ...message,
  })

describe('LettaChannel', () => {
  it('starts a run with the message, which is delivered when the run has completed', async () => {
    server.endRuns(false)
    const sent = await send()
    const [run] = server.runs
    expect(sent).toMatchObject({ kind: 'waiting', reason: null, runId: run?.id })
    const runId = run?.id ?? ''
    expect(await send({ runId })).toMatchObject({ kind: 'waiting', runId })
    server.finishRuns()
    expect(await send({ runId })).toEqual({ kind: 'delivered' })
    expect(server.messages).toEqual([
      { type: 'message', role: 'system', content: 'it has ended', otid: 'dlv_1', agentId },
    ])
  })

  it('waits while the agent is busy', async () => {
    const run = server.startRun(agentId)
    expect(await send()).toMatchObject({ kind: 'waiting', runId: null, reason: { code: 'agent_busy' } })
    server.finishRuns()
    expect(await send()).toMatchObject({ kind: 'waiting', reason: null })
    expect(server.runs.map(({ id }) => id)).toContain(run)
    expect(server.messages).toHaveLength(1)
  })

  it('waits when Letta answers 409 without a run', async () => {
    server.answerNext('pass', 409)
    expect(await send()).toMatchObject({ kind: 'waiting', reason: { code: 'agent_busy' } })
    expect(server.messages).toEqual([])
  })

  it('sends the message once even if the response is lost', async () => {
    server.answerNext('pass', 'cut')
    expect(await send()).toMatchObject({ kind: 'failed', code: 'connection_failed' })
    expect(await send({ attempt: 2 })).toEqual({ kind: 'delivered' })
    expect(server.messages).toHaveLength(1)
  })

  it('sends the message again if its run failed before it was stored', async () => {
    server.endRuns(false)
    const sent = await send()
    server.finishRuns('waiting for approval')
    const runId = sent.kind === 'waiting' ? sent.runId : null
    expect(await send({ runId })).toMatchObject({
      kind: 'failed',
      code: 'agent_run_failed',
      message: expect.stringContaining('waiting for approval'),
    })
    server.endRuns(true)
    expect(await send({ attempt: 2 })).toMatchObject({ kind: 'waiting' })
    expect(server.messages).toHaveLength(2)
  })
})

describe('LettaChannel failures', () => {
  it('reports a wrong or expired token', async () => {
    expect(await send({}, { token: 'another' })).toMatchObject({ code: 'letta_token_refused', httpStatus: 401 })
  })

  it('reports an agent that does not exist', async () => {
    server.removeAgent(agentId)
    expect(await send()).toMatchObject({ kind: 'failed', code: 'agent_not_found' })
  })

  it('reports a URL that is not a Letta server', async () => {
    expect(await send({}, { url: `${server.url}/v1` })).toMatchObject({ code: 'letta_not_there' })
    server.answerNext(200)
    expect(await send()).toMatchObject({ code: 'letta_not_there' })
  })

  it('reports a server that fails, times out or is unreachable', async () => {
    server.answerNext(503)
    expect(await send()).toMatchObject({ code: 'http_error', httpStatus: 503 })
    server.answerNext('hang')
    expect(await send()).toMatchObject({ code: 'timed_out', isUnreachable: true })
    expect(await send({}, { url: 'http://127.0.0.1:1' })).toMatchObject({
      code: 'connection_failed',
      isUnreachable: true,
    })
    expect(await send({}, { url: 'http://nowhere.invalid' })).toMatchObject({ code: 'target_not_found' })
  })
})
