// The public contract: clients break when it changes by accident. After a change on purpose, write the snapshots again
// and review their diff: npx vitest run --project unit services/api/src/contract --update

import { describe, expect, it } from 'vitest'
import { format, readMcp, readOpenApi, readToolList } from './contract.fixture.ts'

/** A tokenizer makes one token of about four characters of JSON. */
const CHARACTERS_PER_TOKEN = 4

describe('the public contract', () => {
  it('has the same routes, parameters, bodies, statuses and error codes in OpenAPI', async () => {
    await expect(`${format(await readOpenApi())}\n`).toMatchFileSnapshot('openapi.snap')
  })

  it('has the same MCP tools, arguments and results, with and without MCP_LEGACY_TOOLS', async () => {
    await expect(`${format(await readMcp())}\n`).toMatchFileSnapshot('mcp.snap')
  })

  it('takes at most 8,000 tokens of a context for the list of tools', async () => {
    expect((await readToolList()).length / CHARACTERS_PER_TOKEN).toBeLessThanOrEqual(8_000)
  })
})
