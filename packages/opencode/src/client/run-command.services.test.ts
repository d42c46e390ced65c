import { OWN_MODELS_ONLY, opencodeConfig, type ScriptedModel, startScriptedModel } from '@switchyard/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createDirectories, quiet } from '../opencode.fixture.ts'
import { OpenCodeServer } from '../opencode-server.ts'
import { childServer } from '../server/child-server.ts'
import { runCommand } from './run-command.ts'

let directories: Awaited<ReturnType<typeof createDirectories>>
let model: ScriptedModel
let server: OpenCodeServer

beforeAll(async () => {
  directories = await createDirectories()
  model = await startScriptedModel()
  const { PATH = '', HOME = '' } = process.env
  const env = { PATH, HOME, ...OWN_MODELS_ONLY }
  server = OpenCodeServer.start({
    launcher: childServer({ dataDir: directories.dataDir, env, config: opencodeConfig(model.url), logger: quiet }),
    logger: quiet,
  })
  await server.ready()
})

afterAll(async () => {
  await server?.close()
  await model?.close()
  await directories?.remove()
})

const run = (command: string) => runCommand(server.client, directories.directory, command)

it.each([
  ['pwd', 0, expect.stringContaining('work')],
  [`echo "it's" $((1 + 1)); exit 3`, 3, expect.stringContaining("it's 2")],
  ['if', 2, expect.stringMatching(/syntax|unexpected/i)],
  ['nosuchcommand', 127, expect.stringContaining('not found')],
])('returns the exit code and output of %j', async (command, exitCode, output) => {
  expect(await run(command)).toEqual({ exitCode, output })
})

it('deletes its session', async () => {
  await run('true')
  expect(await server.client.sessions(directories.directory)).toEqual([])
})
