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
const held = () => [...server.blocks.values()].map(({ label, value }) => [label, value])
const idOf = (written: Awaited<ReturnType<LettaBlocks['write']>>) => ('blockId' in written ? written.blockId : '')

it('makes and attaches a block, writes it again, and takes it away', async () => {
  const id = idOf(await blocks.write(block(), () => 'one'))
  expect(server.blocksOf(agentId)).toEqual([LABEL])
  expect(await blocks.write(block(id), (limit) => 'x'.repeat(limit))).toEqual({ kind: 'written', blockId: id })
  expect(held()).toEqual([[LABEL, 'x'.repeat(5_000)]])
  expect(await blocks.remove(block(id))).toEqual({ kind: 'removed' })
  expect(held()).toEqual([])
  expect(await blocks.remove(block(id))).toEqual({ kind: 'removed' })
})

it('makes one block, although an answer was lost on the way', async () => {
  server.answerNext('pass', 'pass', 'cut')
  expect(await blocks.write(block(), () => 'one')).toMatchObject({ code: 'connection_failed' })
  server.answerNext('pass', 'pass', 'cut')
  expect(await blocks.write(block(), () => 'one')).toMatchObject({ code: 'connection_failed' })
  expect(await blocks.write(block(), () => 'two')).toMatchObject({ kind: 'written' })
  expect(held()).toEqual([[LABEL, 'two']])
  expect(server.blocksOf(agentId)).toEqual([LABEL])
})

it('makes nothing for an agent that is not there', async () => {
  server.removeAgent(agentId)
  expect(await blocks.write(block(), () => 'one')).toMatchObject({ kind: 'failed', code: 'agent_not_found' })
  expect(held()).toEqual([])
})

it('leaves a block deleted that somebody has deleted', async () => {
  const id = idOf(await blocks.write(block(), () => 'one'))
  await blocks.remove(block(id))
  expect(await blocks.write(block(id), () => 'two')).toEqual({ kind: 'gone' })
})

it('tells what is wrong', async () => {
  server.setToken('a token')
  expect(await blocks.write(block(), () => 'one')).toMatchObject({ code: 'letta_token_refused' })
  expect(await blocks.remove(block('block-1'))).toMatchObject({ code: 'letta_token_refused' })
})
