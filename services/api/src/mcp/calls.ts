// Runs one tool call within the time limit, and returns errors in the form that MCP prescribes for tools.

import type { CallToolResult } from '@modelcontextprotocol/server'
import type { Logger } from '@switchyard/config'
import { errorBody, SwitchyardError } from '@switchyard/contracts'
import type { Caller } from '../access/caller.ts'
import { asSwitchyardError, publicMessage } from '../http/errors.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { toToolHint } from './hints.ts'
import type { Tool } from './tool.ts'

/** Limit of a call, ms. Clients time out after 60 s, so every result has to arrive before that. */
const CALL_TIMEOUT_MS = 54_000

export type CallDeps = { readonly metrics: Metrics; readonly logger: Logger; readonly timeoutMs?: number }

const asText = (value: unknown): CallToolResult['content'] => [{ type: 'text', text: JSON.stringify(value) }]

/**
 * Returns the error as text only. Clients validate `structuredContent` against the tool's output schema even if
 * `isError` is set, and an error does not match it.
 */
const toErrorResult = (error: SwitchyardError): CallToolResult => ({
  isError: true,
  content: asText({
    ...errorBody(error),
    message: publicMessage(error),
    hint: toToolHint(error.hint),
    ...(error.context.errors ? { errors: error.context.errors } : {}),
  }),
})

const withTimeout = async <T>(
  work: (signal: AbortSignal) => Promise<T>,
  disconnected: AbortSignal,
  ms: number,
): Promise<T> => {
  const ended = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SwitchyardError('call_timeout', `no result within ${ms} ms`)), ms)
  })
  const working = work(AbortSignal.any([disconnected, ended.signal]))
  try {
    return await Promise.race([working, late])
  } finally {
    clearTimeout(timer)
    ended.abort()
    working.catch(() => {})
  }
}

/**
 * Runs a tool and returns its result. Never throws: an error is part of the result.
 *
 * @param disconnected - aborts when the client disconnects
 */
export const callTool = async (
  deps: CallDeps,
  tool: Tool,
  args: unknown,
  caller: Caller,
  disconnected: AbortSignal,
): Promise<CallToolResult> => {
  const { metrics, logger } = deps
  const began = performance.now()
  const record = (outcome: string, err?: unknown) => {
    metrics.toolCalls.inc({ tool: tool.name, outcome })
    const line = { tool: tool.name, outcome, ms: Math.round(performance.now() - began), caller: caller.name }
    if (outcome === 'internal_error') logger.error({ ...line, err }, 'tool call')
    else logger.info(line, 'tool call')
  }
  try {
    const value = await withTimeout(
      (signal) => tool.run(args, { caller, signal }),
      disconnected,
      deps.timeoutMs ?? CALL_TIMEOUT_MS,
    )
    record('ok')
    return { structuredContent: value, content: asText(value) }
  } catch (thrown) {
    const error = asSwitchyardError(thrown)
    record(error.code, thrown)
    return toErrorResult(error)
  }
}
