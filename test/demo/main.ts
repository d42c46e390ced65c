// `npm run demo`: submits a task that fixes a failing test, and prints its live events, the diff,
// the passing test and the figures.

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createLogger, loadConfig } from '@switchyard/config'
import { isSwitchyardError, type Task, type TaskDiff, type TaskEvent } from '@switchyard/contracts'
import { startEmbedded } from '@switchyard/embedded'
import { FAILING_REPOSITORY, fixFailingTestScript, opencodeConfig, startScriptedModel } from '@switchyard/testing'
import { createCaller } from '../compose/caller.ts'
import { makeRepository } from '../integration/repository.ts'
import { runTests } from './run-tests.ts'

const print = (text = ''): void => void process.stdout.write(`${text}\n`)
const heading = (text: string): void => print(`\n── ${text} ${'─'.repeat(Math.max(0, 76 - text.length))}`)

const GOAL =
  'The test of this repository fails. Find out why, fix the code (not the test), and show that the test passes.'

const printEvent = (event: TaskEvent): void =>
  print(`${String(event.seq).padStart(4)}  ${event.type.padEnd(16)} ${event.message}`)

const printFigures = (task: Task, seconds: number): void => {
  const usage = task.result?.usage
  print(`status   ${task.status}`)
  print(`time     ${seconds.toFixed(1)} s from the call to the end`)
  print(`model    ${task.model ?? 'unknown'}`)
  if (usage)
    print(`tokens   ${usage.input + usage.cache_read + usage.cache_write} in, ${usage.output + usage.reasoning} out`)
  print(`cost     $${(task.result?.cost ?? 0).toFixed(4)}, as OpenCode calculates it`)
}

const demo = async (stop: AbortSignal): Promise<number> => {
  const ownModel = process.env.DEFAULT_MODEL
  const closing: (() => Promise<unknown>)[] = []
  try {
    const home = await mkdtemp(path.join(tmpdir(), 'switchyard-demo-'))
    // As root, the database runs as another user, who must be able to enter the directory.
    await chmod(home, 0o711)
    closing.push(() => rm(home, { recursive: true, force: true }))
    const model = ownModel ? undefined : await startScriptedModel()
    if (model) closing.push(model.close)

    heading('Starting Switchyard')
    if (ownModel) print(`Using your own model: ${ownModel}.`)
    else {
      print('DEFAULT_MODEL is not set, so a SCRIPTED MODEL gives prepared answers.')
      print('Everything else is real: the OpenCode server, its tools, git, PostgreSQL, the queue, the REST API.')
      print('To use your own model: DEFAULT_MODEL=provider/model npm run demo')
    }
    const config = loadConfig({
      ...process.env,
      PORT: '0',
      HOST: '127.0.0.1',
      SWITCHYARD_HOME: home,
      SWITCHYARD_API_KEYS: '',
      WORKSPACES_DIR: '',
      DATABASE_URL: '',
      REDIS_URL: '',
      OPENCODE_SERVER_URL: '',
      ...(model
        ? { OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig(model.url)), OPENCODE_DISABLE_MODELS_FETCH: '1' }
        : {}),
    })
    const switchyard = await startEmbedded({
      config,
      logger: createLogger({ log: { level: 'silent' } }, 'demo'),
      signal: stop,
    })
    closing.push(() => switchyard.close())
    print(`Ready after ${(switchyard.startedInMs / 1000).toFixed(1)} s on ${switchyard.url}`)

    heading('A repository with a failing test')
    const repository = await makeRepository(path.join(home, 'repository'), FAILING_REPOSITORY)
    print((await runTests(repository)).output)

    heading('POST /tasks')
    const caller = createCaller(switchyard.url)
    const began = performance.now()
    const { task_id } = await caller.submit({
      task_description: model ? `${GOAL} ${fixFailingTestScript()}` : GOAL,
      project: repository,
      agent_id: 'demo',
    })
    print(`accepted as ${task_id}; live events:\n`)
    await caller.follow(task_id, 10 * 60_000, printEvent)
    const task = await caller.ended(task_id)
    const seconds = (performance.now() - began) / 1000

    heading('GET /tasks/{id}/diff')
    print(((await caller.get(`/tasks/${task_id}/diff?format=json`)) as TaskDiff).diff)
    heading("The test, run again in the task's directory")
    const after = await runTests(task.directory ?? repository)
    print(after.output)
    heading('Figures')
    printFigures(task, seconds)
    if (task.error) print(`error    ${task.error.code}: ${task.error.message}`)
    return task.status === 'completed' && after.passed ? 0 : 1
  } finally {
    for (const step of closing.reverse()) await step()
  }
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

demo(stop.signal).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(
      isSwitchyardError(error)
        ? `${error.message}\n${error.hint}\n`
        : `${error instanceof Error ? error.stack : error}\n`,
    )
    process.exit(1)
  },
)
