// Restarts the api under load. MCP clients may see a refused connection, but never a failed call.

import { setTimeout as delay } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Scenario } from '../scenario.ts'
import type { TestSystem } from '../system.ts'
import type { TaskVerifier } from '../task-verifier.ts'
import { withTimeout } from '../wait.ts'
import { createWorkload, type Workload } from '../workload.ts'

const CLIENTS = 4
const CALL_MS = 60_000
const RETRY_LIMIT_MS = 60_000

const connect = async (url: string): Promise<Client> => {
  const client = new Client({ name: 'chaos', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)))
  return client
}

/** A tool's result. `isError` is a failure that reconnecting does not explain. */
type Answer = { readonly isError?: boolean | undefined; readonly structuredContent?: unknown }

class McpCaller {
  readonly #system: TestSystem
  readonly #verifier: TaskVerifier
  #client: Client | undefined
  reconnects = 0
  calls = 0

  constructor(system: TestSystem, verifier: TaskVerifier) {
    this.#system = system
    this.#verifier = verifier
  }

  /** Calls a tool. Reconnects and repeats the call if the connection fails. */
  async call(name: string, args: Record<string, unknown>): Promise<Readonly<Record<string, unknown>>> {
    this.calls += 1
    const end = Date.now() + RETRY_LIMIT_MS
    for (;;) {
      try {
        this.#client ??= await connect(this.#system.clientUrl)
        const answer: Answer = await this.#client.callTool({ name, arguments: args }, { timeout: CALL_MS })
        const content = answer.structuredContent
        if (answer.isError) this.#verifier.problem(`${name} answered with an error: ${JSON.stringify(content)}`)
        return typeof content === 'object' && content !== null ? { ...content } : {}
      } catch (error) {
        this.reconnects += 1
        await this.close()
        if (Date.now() > end) throw error
        await delay(100)
      }
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.close().catch(() => undefined)
  }
}

const runTask = async (caller: McpCaller, verifier: TaskVerifier): Promise<void> => {
  const work: Workload = createWorkload('api-restart', { steps: 2, thinkMs: 300 })
  const begun = await caller.call('execute_task', { task_description: work.description, idempotency_key: work.token })
  const id = String(begun.task_id) as `task_${string}`
  verifier.track(id, work)
  for (;;) {
    const task = await caller.call('get_task_status', { task_id: id, wait_ms: 3_000 })
    if (['completed', 'failed', 'cancelled', 'timeout'].includes(String(task.status))) return
  }
}

export const apiRestart: Scenario = {
  name: 'api-restart',
  what: 'restart the api with SIGTERM or SIGKILL while MCP clients call tools',
  times: { full: 20, short: 2 },
  run: async ({ system, random, times, verifier, log }) => {
    const stopping = new AbortController()
    const callers = Array.from({ length: CLIENTS }, () => new McpCaller(system, verifier))
    const working = callers.map(async (caller) => {
      while (!stopping.signal.aborted) await runTask(caller, verifier)
      await caller.close()
    })
    try {
      for (let round = 1; round <= times; round += 1) {
        await delay(random.between(1_000, 4_000))
        const isKill = random.next() < 0.5
        const at = Date.now()
        if (isKill) await system.api().kill()
        else await system.api().stop()
        const downMs = Date.now() - at
        const api = system.startApi()
        if (!(await withTimeout(api.ready, 30_000))) throw new Error('the api did not restart')
        const probe = new McpCaller(system, verifier)
        await probe.call('ping', {})
        await probe.close()
        verifier.recovered(Date.now() - at)
        log(
          `restart ${round}: ${isKill ? 'SIGKILL' : 'SIGTERM'}, exited after ${downMs} ms, answered after ${Date.now() - at} ms`,
        )
      }
    } finally {
      stopping.abort()
      for (const ended of await Promise.allSettled(working))
        if (ended.status === 'rejected') verifier.problem(`an MCP call failed: ${ended.reason}`)
    }
    const calls = callers.reduce((sum, caller) => sum + caller.calls, 0)
    const reconnects = callers.reduce((sum, caller) => sum + caller.reconnects, 0)
    verifier.note(`${calls} MCP calls by ${CLIENTS} clients, ${reconnects} failed connections`)
  },
}
