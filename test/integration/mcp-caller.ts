// Calls the MCP endpoint as a program would: a call returns the tool's result or throws its
// failure.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

export type McpCaller = {
  /** @throws Error with the failure as JSON. */
  readonly call: <T = Record<string, unknown>>(name: string, args?: Record<string, unknown>) => Promise<T>
  readonly tools: () => Promise<readonly string[]>
  readonly close: () => Promise<void>
}

export const connectMcp = async (
  url: string,
  options: { readonly key?: string; readonly path?: string } = {},
): Promise<McpCaller> => {
  const client = new Client({ name: 'test', version: '1' })
  const headers = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${url}${options.path ?? '/mcp'}`), { requestInit: { headers } }),
  )
  return {
    call: async <T>(name: string, args: Record<string, unknown> = {}) => {
      const result = await client.callTool({ name, arguments: args })
      const [first] = result.content as readonly { readonly text?: string }[]
      if (result.isError) throw new Error(first?.text ?? 'failed')
      return result.structuredContent as T
    },
    tools: async () => (await client.listTools()).tools.map((tool) => tool.name),
    close: () => client.close(),
  }
}
