import {
  type OpenCodeProcess,
  type ScriptedModel,
  script,
  startOpenCode,
  startScriptedModel,
} from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { newMessageId } from './client/message-ids.ts'
import { permissionRules } from './client/permission-rules.ts'
import { copySession } from './copy-session.ts'
import { createDirectories, eventually, quiet } from './opencode.fixture.ts'
import { OpenCodeServer } from './opencode-server.ts'
import { remoteServer } from './server/remote-server.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

describe('copySession', () => {
  let directories: Awaited<ReturnType<typeof createDirectories>>
  let model: ScriptedModel
  let first: OpenCodeServer
  let second: OpenCodeServer
  const processes: OpenCodeProcess[] = []

  const start = async (): Promise<OpenCodeServer> => {
    const opencode = await startOpenCode({ modelUrl: model.url })
    processes.push(opencode)
    const launcher = remoteServer({ url: opencode.url, password: opencode.password })
    const server = OpenCodeServer.start({ launcher, logger: quiet })
    await server.ready()
    return server
  }

  beforeAll(async () => {
    directories = await createDirectories()
    model = await startScriptedModel()
    first = await start()
    second = await start()
  })

  afterAll(async () => {
    for (const server of [first, second]) await server?.close()
    for (const opencode of processes) await opencode.close()
    await model?.close()
    await directories?.remove()
  })

  it('copies a session with its messages, lets it continue there, and copies back only what is new', async () => {
    const { directory } = directories
    const unrelated = await first.client.createSession({ directory, title: 'unrelated' })
    const { id } = await first.client.createSession({ directory, title: 'moved', permission: permissionRules('allow') })
    const ref = { sessionId: id, directory }
    const turn = async (server: OpenCodeServer, text: string) => {
      await server.client.promptAsync({ ...ref, messageId: newMessageId(), text: `go ${script([{ say: text }])}` })
      await eventually(text, async () => JSON.stringify(await server.client.messages(ref)).includes(`"${text}"`))
      await eventually('idle', async () => Object.keys(await server.client.statuses(directory)).length === 0)
    }
    await turn(first, 'one')
    await copySession({ from: first.client, to: second.client }, ref)
    expect(await second.client.messages(ref)).toEqual(await first.client.messages(ref))
    expect((await second.client.session(ref)).permission).toEqual(permissionRules('allow'))
    await turn(second, 'two')
    await copySession({ from: second.client, to: first.client }, ref)
    expect(await first.client.messages(ref)).toEqual(await second.client.messages(ref))
    await copySession({ from: second.client, to: first.client }, ref)
    expect(await second.client.everySession({ roots: true })).not.toContainEqual(
      expect.objectContaining({ id: unrelated.id }),
    )
  })
})
