import { type LettaServer, startLettaServer } from '@switchyard/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LettaBlocks } from './blocks.ts'

let server: LettaServer
let agentId: string
let blocks: LettaBlocks
beforeEach(async () => {
  server = await startLettaServer()
  agentId = server.addAgent()
  blocks = new LettaBlocks({ url: server.url, token: undefined, timeoutMs: 1_000 })
})
afterEach(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

const LABEL = 'opencode_workspace_task_1'
const block = (blockId: string | null = null) => ({ taskId: 'task_1' as const, agentId, blockId })
const stored = () => [...server.blocks.values()].map(({ label, value }) => [label, value])
const idOf = (written: Awaited<ReturnType<LettaBlocks['write']>>) => ('blockId' in written ? written.blockId : '')

it('creates and attaches a block, updates it, and removes it', async () => {
  const id = idOf(await blocks.write(block(), () => 'one'))
  expect(server.blocksOf(agentId)).toEqual([LABEL])
  expect(await blocks.write(block(id), (limit) => 'x'.repeat(limit))).toEqual({ kind: 'written', blockId: id })
  expect(stored()).toEqual([[LABEL, 'x'.repeat(5_000)]])
  expect(await blocks.remove(block(id))).toEqual({ kind: 'removed' })
  expect(stored()).toEqual([])
  expect(await blocks.remove(block(id))).toEqual({ kind: 'removed' })
})

it('creates one block even if a response is lost', async () => {
  server.answerNext('pass', 'pass', 'cut')
  expect(await blocks.write(block(), () => 'one')).toMatchObject({ code: 'connection_failed' })
  server.answerNext('pass', 'pass', 'cut')
  expect(await blocks.write(block(), () => 'one')).toMatchObject({ code: 'connection_failed' })
  expect(await blocks.write(block(), () => 'two')).toMatchObject({ kind: 'written' })
  expect(stored()).toEqual([[LABEL, 'two']])
  expect(server.blocksOf(agentId)).toEqual([LABEL])
})

it('creates nothing for an agent that does not exist', async () => {
  server.removeAgent(agentId)
  expect(await blocks.write(block(), () => 'one')).toMatchObject({ kind: 'failed', code: 'agent_not_found' })
  expect(stored()).toEqual([])
})

it('does not recreate a block that somebody has deleted', async () => {
  const id = idOf(await blocks.write(block(), () => 'one'))
  await blocks.remove(block(id))
  expect(await blocks.write(block(id), () => 'two')).toEqual({ kind: 'deleted' })
})

it('reports a refused token', async () => {
  server.setToken('a token')
  expect(await blocks.write(block(), () => 'one')).toMatchObject({ code: 'letta_token_refused' })
  expect(await blocks.remove(block('block-1'))).toMatchObject({ code: 'letta_token_refused' })
})
