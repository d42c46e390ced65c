// Reads the public contract of an api, OpenAPI document and MCP tools, without its texts.

import { createLogger, loadConfig, TOOLSETS } from '@switchyard/config'
import { createBus } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { createApi } from '../app.ts'

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }
type Tool = JsonObject & { readonly name: string }

const TEXTS = new Set(['summary', 'description', 'title', 'hint', 'example', 'examples', 'version'])

/** Lists whose order means nothing. */
const SETS = new Set(['required', 'enum'])

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A keyword that holds a text; a property of that name holds a schema, and is part of the contract. */
const isText = (key: string, value: Json): boolean => TEXTS.has(key) && !isObject(value)

/** Removes texts and sorts keys, so that only a change of the contract changes the result. */
const normalize = (value: Json, key = ''): Json => {
  if (Array.isArray(value)) {
    const items = value.map((item: Json) => normalize(item))
    return SETS.has(key) ? items.toSorted((a, b) => (String(a) < String(b) ? -1 : 1)) : items
  }
  if (!isObject(value)) return value
  const entries = Object.entries(value).filter(([name, inner]) => !isText(name, inner))
  const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(sorted.map(([name, inner]) => [name, normalize(inner, name)]))
}

const WIDTH = 120

/** Formats JSON with one line for each value that fits in it, so that a diff shows what changed. */
export const format = (value: Json, indent = ''): string => {
  const line = JSON.stringify(value)
  if (indent.length + line.length <= WIDTH || typeof value !== 'object' || value === null) return line
  const deeper = `${indent}  `
  if (Array.isArray(value))
    return `[\n${value.map((item: Json) => `${deeper}${format(item, deeper)}`).join(',\n')}\n${indent}]`
  const entries = Object.entries(value).map(
    ([key, inner]) => `${deeper}${JSON.stringify(key)}: ${format(inner, deeper)}`,
  )
  return `{\n${entries.join(',\n')}\n${indent}}`
}

/** Creates an api that connects to nothing: describing itself needs no service. */
const createUnconnectedApi = (env: Readonly<Record<string, string>>) => {
  const config = loadConfig({ LOG_LEVEL: 'silent', ...env })
  const logger = createLogger(config, 'api')
  const records = new Records({ connectionString: 'postgres://127.0.0.1:1/none', applicationName: 'contract' })
  const unused = () => Promise.reject(new Error('the contract was read through a service'))
  const queue = { add: unused, addAll: unused, depth: unused, ping: unused }
  const bus = createBus(undefined, logger)
  const api = createApi({ config, records, queue, bus, logger })
  const close = async () => {
    await api.close()
    await bus.close()
    await records.close()
  }
  return { app: api.app, close }
}

type App = ReturnType<typeof createUnconnectedApi>['app']

const callMcp = async (app: App, path: string, method: string): Promise<JsonObject> => {
  const response = await app.request(path, {
    method: 'POST',
    headers: {
      host: 'localhost',
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: {} }),
  })
  const { result } = (await response.json()) as { result: JsonObject }
  return result
}

const listTools = async (app: App, path: string): Promise<readonly Tool[]> =>
  (await callMcp(app, path, 'tools/list')).tools as readonly Tool[]

const namesOf = (tools: readonly Tool[]): readonly string[] => tools.map(({ name }) => name)

/** Returns the OpenAPI document without texts. */
export const readOpenApi = async (): Promise<Json> => {
  const { app, close } = createUnconnectedApi({})
  try {
    const response = await app.request('/openapi.json', { headers: { host: 'localhost' } })
    return normalize((await response.json()) as Json)
  } finally {
    await close()
  }
}

/** Returns the response to `tools/list` with the default settings, as JSON. */
export const readToolList = async (): Promise<string> => {
  const { app, close } = createUnconnectedApi({})
  try {
    return JSON.stringify(await listTools(app, '/mcp'))
  } finally {
    await close()
  }
}

/** Returns every MCP tool and resource template without texts, and the names that each endpoint lists. */
export const readMcp = async (): Promise<Json> => {
  const standard = createUnconnectedApi({ MCP_LEGACY_TOOLS: 'false' })
  const legacy = createUnconnectedApi({ MCP_LEGACY_TOOLS: 'true' })
  try {
    const endpoints = ['/mcp', ...TOOLSETS.map((set) => `/mcp/${set}`)]
    const tools = new Map<string, Tool>()
    const listed: Record<string, Json> = {}
    for (const endpoint of endpoints) {
      const without = await listTools(standard.app, endpoint)
      const withLegacy = await listTools(legacy.app, endpoint)
      for (const tool of [...without, ...withLegacy]) tools.set(tool.name, tool)
      listed[endpoint] = namesOf(without)
      listed[`${endpoint} with MCP_LEGACY_TOOLS`] = namesOf(withLegacy)
    }
    const templates = await callMcp(standard.app, '/mcp', 'resources/templates/list')
    return { endpoints: listed, tools: normalize(Object.fromEntries(tools)), ...(normalize(templates) as JsonObject) }
  } finally {
    await standard.close()
    await legacy.close()
  }
}
