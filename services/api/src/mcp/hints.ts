// Hints for MCP clients: the hints of errors name REST routes, and an MCP client needs the tool that does the same.

/** Routes whose names appear in hints, each with the tool that does the same. */
const TOOLS: Readonly<Record<string, string>> = {
  'GET /tasks/{id}/files': 'get_task_files',
  'GET /tasks': 'list_tasks',
  'GET /health': 'health',
  'GET /ready': 'health',
}

const ROUTE = /\b(?:GET|POST|PUT|PATCH|DELETE) \/[\w/{}-]*/g

/** Returns the hint with tool names instead of routes. A route that no tool covers stays. */
export const toToolHint = (hint: string): string => hint.replaceAll(ROUTE, (route) => TOOLS[route] ?? route)
