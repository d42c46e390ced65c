// The tool names of older managers, served when MCP_LEGACY_TOOLS is true.

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
  listed: { ...tool.listed, name, description: `${tool.listed.description} Older name of ${tool.name}.` },
})

/** Older managers ran one MCP server per project. Here one server serves all projects, so these tools only report it. */
const mcpTool = (name: 'opencode_mcp_status' | 'opencode_mcp_restart'): Tool =>
  defineTool({
    name,
    title: name === 'opencode_mcp_status' ? 'Check the MCP server' : 'Restart the MCP server',
    description:
      'Returns that this MCP server is running. It exists for clients of older managers, which ran one MCP server per project; a restart is never needed.',
    input: z.strictObject({ git_url: z.string().max(2_000).optional() }),
    output: z.object({ status: z.literal('running'), message: z.string() }),
    annotations: READS,
    run: async () => ({
      status: 'running' as const,
      message: 'This MCP server serves every project and is running.',
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
