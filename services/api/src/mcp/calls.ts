// One call of a tool: within its time, its failure told as MCP tells failures of tools.

import type { CallToolResult } from '@modelcontextprotocol/server'
import type { Logger } from '@switchyard/config'
import { errorBody, SwitchyardError } from '@switchyard/contracts'
import type { Caller } from '../access/caller.ts'
import { asSwitchyardError, publicMessage } from '../http/errors.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import type { Tool } from './tool.ts'

/** Clients give up after 60 s; every answer comes before that, ms. */
const CALL_MS = 54_000

export type CallDeps = { readonly metrics: Metrics; readonly logger: Logger; readonly callMs?: number }

const asText = (value: unknown): CallToolResult['content'] => [{ type: 'text', text: JSON.stringify(value) }]

/**
 * The failure as text alone: clients check `structuredContent` against the tool's output schema even where `isError`
 * is set, and a failure has another form.
 */
const failed = (error: SwitchyardError): CallToolResult => ({
  isError: true,
  content: asText({
    ...errorBody(error),
    message: publicMessage(error),
    ...(error.context.errors ? { errors: error.context.errors } : {}),
  }),
})

const withinTime = async <T>(work: (signal: AbortSignal) => Promise<T>, gone: AbortSignal, ms: number): Promise<T> => {
  const ended = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SwitchyardError('call_timeout', `no answer within ${ms} ms`)), ms)
  })
  const working = work(AbortSignal.any([gone, ended.signal]))
  try {
    return await Promise.race([working, late])
  } finally {
    clearTimeout(timer)
    ended.abort()
    working.catch(() => {})
  }
}

/** Never throws: what fails is in the result. */
export const callTool = async (
  deps: CallDeps,
  tool: Tool,
  args: unknown,
  caller: Caller,
  gone: AbortSignal,
): Promise<CallToolResult> => {
  const { metrics, logger } = deps
  const began = performance.now()
  const tell = (outcome: string, err?: unknown) => {
    metrics.toolCalls.inc({ tool: tool.name, outcome })
    const line = { tool: tool.name, outcome, ms: Math.round(performance.now() - began), caller: caller.name }
    if (outcome === 'internal_error') logger.error({ ...line, err }, 'tool call')
    else logger.info(line, 'tool call')
  }
  try {
    const value = await withinTime((signal) => tool.run(args, { caller, signal }), gone, deps.callMs ?? CALL_MS)
    tell('ok')
    return { structuredContent: value, content: asText(value) }
  } catch (thrown) {
    const error = asSwitchyardError(thrown)
    tell(error.code, thrown)
    return failed(error)
  }
}
