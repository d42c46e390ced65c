// The public contract: clients break when it changes by accident. After a change on purpose, write the snapshots again
// and review their diff: npx vitest run --project unit services/api/src/contract --update

import { describe, expect, it } from 'vitest'
import { format, readMcp, readOpenApi } from './contract.fixture.ts'

describe('the public contract', () => {
  it('has the same routes, parameters, bodies, statuses and error codes in OpenAPI', async () => {
    await expect(`${format(await readOpenApi())}\n`).toMatchFileSnapshot('openapi.snap')
  })

  it('has the same MCP tools, arguments and results, with and without MCP_LEGACY_TOOLS', async () => {
    await expect(`${format(await readMcp())}\n`).toMatchFileSnapshot('mcp.snap')
  })
})
