// The names under which older managers offered what these tools do, where MCP_LEGACY_TOOLS is true.

import { z } from 'zod'
import { defineTool, READS, type Tool } from './tool.ts'

const ALIASES: Readonly<Record<string, string>> = {
  opencode_start: 'opencode_project_start',
  opencode_status: 'opencode_project_status',
  opencode_stop: 'opencode_project_stop',
  opencode_restart: 'opencode_project_restart',
  opencode_destroy: 'opencode_project_destroy',
  opencode_list: 'opencode_project_list',
}

const alias = (name: string, tool: Tool): Tool => ({
  ...tool,
  name,
  listed: { ...tool.listed, name, description: `${tool.listed.description} (The older name of ${tool.name}.)` },
})

/** The older managers ran a tool server of their own for each project; here it is this one, which is up when it answers. */
const mcpTool = (name: 'opencode_mcp_status' | 'opencode_mcp_restart'): Tool =>
  defineTool({
    name,
    title: name === 'opencode_mcp_status' ? 'State of the MCP server' : 'Restart of the MCP server',
    description:
      'Kept for programs of older managers, which ran an MCP server beside each project. There is one for all of them now, it needs no restart, and this is it.',
    input: z.strictObject({ git_url: z.string().max(2_000).optional() }),
    output: z.object({ status: z.literal('running'), message: z.string() }),
    annotations: READS,
    run: async () => ({
      status: 'running' as const,
      message: 'One MCP server serves every project, and it has just answered.',
    }),
  })

export const legacyTools = (projectTools: readonly Tool[]): readonly Tool[] => {
  const tools = new Map(projectTools.map((tool) => [tool.name, tool]))
  const aliases = Object.entries(ALIASES).flatMap(([name, target]) => {
    const tool = tools.get(target)
    return tool ? [alias(name, tool)] : []
  })
  return [...aliases, mcpTool('opencode_mcp_status'), mcpTool('opencode_mcp_restart')]
}
