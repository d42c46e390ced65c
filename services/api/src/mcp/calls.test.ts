import { createLogger } from '@switchyard/config'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Metrics } from '../monitoring/metrics.ts'
import { callTool } from './calls.ts'
import { defineTool, READS } from './tool.ts'

const metrics = new Metrics({
  countByStatus: async () => ({}),
  countUndelivered: async () => ({}),
  queueDepth: async () => ({ waiting: 0, active: 0 }),
})
const deps = { metrics, logger: createLogger({ log: { level: 'silent' } }, 'test'), timeoutMs: 50 }
const caller = { name: 'local', role: 'operator', agentId: undefined } as const
const never = new AbortController().signal

const toolRunning = (run: (signal: AbortSignal) => Promise<{ done: boolean }>) =>
  defineTool({
    name: 'work',
    title: 'Work',
    description: 'works',
    input: z.strictObject({}),
    output: z.object({ done: z.boolean() }),
    annotations: READS,
    run: async (_input, { signal }) => await run(signal),
  })

const failureOf = (result: Awaited<ReturnType<typeof callTool>>) => {
  expect(result.isError).toBe(true)
  const [first] = result.content
  return JSON.parse(first?.type === 'text' ? first.text : '') as Record<string, unknown>
}

describe('callTool', () => {
  it('returns call_timeout and aborts the tool when the time limit is reached', async () => {
    let seen: AbortSignal | undefined
    const tool = toolRunning((signal) => {
      seen = signal
      return new Promise(() => {})
    })
    const failure = failureOf(await callTool(deps, tool, {}, caller, never))
    expect(failure).toMatchObject({ code: 'call_timeout', retryable: true })
    expect(seen?.aborted).toBe(true)
  })

  it('does not reveal the message of an internal error', async () => {
    const tool = toolRunning(() => Promise.reject(new Error('password is hunter2')))
    const failure = failureOf(await callTool(deps, tool, {}, caller, never))
    expect(failure.code).toBe('internal_error')
    expect(JSON.stringify(failure)).not.toContain('hunter2')
  })

  it('counts calls by outcome', async () => {
    const tool = toolRunning(() => Promise.resolve({ done: true }))
    expect((await callTool(deps, tool, {}, caller, never)).structuredContent).toEqual({ done: true })
    await callTool(deps, tool, { more: 1 }, caller, never)
    const text = await metrics.registry.metrics()
    expect(text).toContain('switchyard_mcp_tool_calls_total{tool="work",outcome="ok"} 1')
    expect(text).toContain('switchyard_mcp_tool_calls_total{tool="work",outcome="invalid_request"} 1')
  })
})
