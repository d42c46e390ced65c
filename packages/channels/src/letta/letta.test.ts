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

describe('a message to an agent', () => {
  it('is taken by a run, and has arrived when that has ended', async () => {
    server.endRuns(false)
    const taken = await send()
    const [run] = server.runs
    expect(taken).toMatchObject({ kind: 'waiting', why: null, runId: run?.id })
    const runId = run?.id ?? ''
    expect(await send({ runId })).toMatchObject({ kind: 'waiting', runId })
    server.finishRuns()
    expect(await send({ runId })).toEqual({ kind: 'arrived' })
    expect(server.messages).toEqual([
      { type: 'message', role: 'system', content: 'it has ended', otid: 'dlv_1', agentId },
    ])
  })

  it('waits while the agent is at work', async () => {
    const run = server.startRun(agentId)
    expect(await send()).toMatchObject({ kind: 'waiting', runId: null, why: { code: 'agent_busy' } })
    server.finishRuns()
    expect(await send()).toMatchObject({ kind: 'waiting', why: null })
    expect(server.runs.map(({ id }) => id)).toContain(run)
    expect(server.messages).toHaveLength(1)
  })

  it('waits where Letta says 409, although no run was shown', async () => {
    server.answerNext('pass', 409)
    expect(await send()).toMatchObject({ kind: 'waiting', why: { code: 'agent_busy' } })
    expect(server.messages).toEqual([])
  })

  it('is sent once, although the answer to it was lost', async () => {
    server.answerNext('pass', 'cut')
    expect(await send()).toMatchObject({ kind: 'failed', code: 'connection_failed' })
    expect(await send({ attempt: 2 })).toEqual({ kind: 'arrived' })
    expect(server.messages).toHaveLength(1)
  })

  it('is sent again where its run failed before the agent had it', async () => {
    server.endRuns(false)
    const taken = await send()
    server.finishRuns('waiting for approval')
    const runId = taken.kind === 'waiting' ? taken.runId : null
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

describe('what goes wrong', () => {
  it('is told: a wrong or expired token', async () => {
    expect(await send({}, { token: 'another' })).toMatchObject({ code: 'letta_token_refused', httpStatus: 401 })
  })

  it('is told: an agent that is not there', async () => {
    server.removeAgent(agentId)
    expect(await send()).toMatchObject({ kind: 'failed', code: 'agent_not_found' })
  })

  it('is told: a URL that is not Letta’s', async () => {
    expect(await send({}, { url: `${server.url}/v1` })).toMatchObject({ code: 'letta_not_there' })
    server.answerNext(200)
    expect(await send()).toMatchObject({ code: 'letta_not_there' })
  })

  it('is told: a server that fails, that does not answer, that is away', async () => {
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
