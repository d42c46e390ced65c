// Restart the api under load: MCP clients see a refused connection at most, and never a failed call.

import { setTimeout as delay } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Ledger } from '../ledger.ts'
import type { Scenario } from '../scenario.ts'
import { within } from '../wait.ts'
import { makeWork, type Work } from '../work.ts'
import type { World } from '../world.ts'

const CLIENTS = 4
const CALL_MS = 60_000
const PATIENCE_MS = 60_000

const connect = async (url: string): Promise<Client> => {
  const client = new Client({ name: 'chaos', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)))
  return client
}

/** What a tool answered; an answer that says it failed is a failure that no reconnect explains. */
type Answer = { readonly isError?: boolean | undefined; readonly structuredContent?: unknown }

class McpCaller {
  readonly #world: World
  readonly #ledger: Ledger
  #client: Client | undefined
  reconnects = 0
  calls = 0

  constructor(world: World, ledger: Ledger) {
    this.#world = world
    this.#ledger = ledger
  }

  /** Calls, and where the connection failed connects again and repeats the call. */
  async call(name: string, args: Record<string, unknown>): Promise<Readonly<Record<string, unknown>>> {
    this.calls += 1
    const end = Date.now() + PATIENCE_MS
    for (;;) {
      try {
        this.#client ??= await connect(this.#world.clientUrl)
        const answer: Answer = await this.#client.callTool({ name, arguments: args }, { timeout: CALL_MS })
        const content = answer.structuredContent
        if (answer.isError) this.#ledger.problem(`${name} answered with an error: ${JSON.stringify(content)}`)
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

const doOne = async (caller: McpCaller, ledger: Ledger): Promise<void> => {
  const work: Work = makeWork('api-restart', { steps: 2, thinkMs: 300 })
  const begun = await caller.call('execute_task', { task_description: work.description, idempotency_key: work.token })
  const id = String(begun.task_id) as `task_${string}`
  ledger.adopt(id, work)
  for (;;) {
    const task = await caller.call('get_task_status', { task_id: id, wait_ms: 3_000 })
    if (['completed', 'failed', 'cancelled', 'timeout'].includes(String(task.status))) return
  }
}

export const apiRestart: Scenario = {
  name: 'api-restart',
  what: 'restart the api, with SIGTERM or SIGKILL, under MCP clients that call all the time',
  times: { full: 20, short: 2 },
  run: async ({ world, random, times, ledger, say }) => {
    const stopping = new AbortController()
    const callers = Array.from({ length: CLIENTS }, () => new McpCaller(world, ledger))
    const working = callers.map(async (caller) => {
      while (!stopping.signal.aborted) await doOne(caller, ledger)
      await caller.close()
    })
    try {
      for (let round = 1; round <= times; round += 1) {
        await delay(random.between(1_000, 4_000))
        const isKill = random.next() < 0.5
        const at = Date.now()
        if (isKill) await world.api().kill()
        else await world.api().stop()
        const downMs = Date.now() - at
        const api = world.startApi()
        if (!(await within(api.ready, 30_000))) throw new Error('the api did not come back')
        const probe = new McpCaller(world, ledger)
        await probe.call('ping', {})
        await probe.close()
        ledger.recovered(Date.now() - at)
        say(
          `restart ${round}: ${isKill ? 'SIGKILL' : 'SIGTERM'}, ended after ${downMs} ms, answers after ${Date.now() - at} ms`,
        )
      }
    } finally {
      stopping.abort()
      for (const ended of await Promise.allSettled(working))
        if (ended.status === 'rejected') ledger.problem(`an MCP call failed: ${ended.reason}`)
    }
    const calls = callers.reduce((sum, caller) => sum + caller.calls, 0)
    const reconnects = callers.reduce((sum, caller) => sum + caller.reconnects, 0)
    ledger.note(`${calls} MCP calls by ${CLIENTS} clients, ${reconnects} tries that met no api`)
  },
}
