// What the tool sandbox adds to each command of an agent.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { prepareSandbox } from '@switchyard/tool-sandbox'
import { toolSandbox } from '@switchyard/tool-sandbox/plugin'
import { now } from './clock.ts'
import { interleave, median, spreadOf } from './figures.ts'
import type { Section } from './report.ts'
import { type Postgres, Resources } from './resources.ts'

/** The command itself takes no time, so the ratio is the largest that there is. */
const COMMAND = ':'
const AIM_MS = 15

const run = async (shell: string, env: NodeJS.ProcessEnv, cwd: string): Promise<number> => {
  const began = now()
  const [code] = await once(spawn(shell, ['-c', COMMAND], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }), 'exit')
  if (code !== 0) throw new Error(`${shell} exited with ${code}`)
  return now() - began
}

export const measureToolSandbox = async (_postgres: Postgres, quick: boolean): Promise<Section> => {
  await using resources = new Resources()
  const root = await resources.directory('tool-sandbox')
  const workspaces = path.join(root, 'workspaces')
  const directory = path.join(workspaces, 'tasks/one')
  await mkdir(directory, { recursive: true })
  const { PATH = '' } = process.env
  const prepared = await prepareSandbox({
    workspaces,
    state: path.join(root, 'state'),
    env: { PATH },
    passVariables: [],
    readOnly: [],
    hidden: [],
    repositories: [],
  })
  if (!prepared.isAvailable)
    return { title: '8. A command in the tool sandbox', explanation: [prepared.reason], unit: 'ms', rows: [] }
  const { server } = prepared
  Object.assign(process.env, server.env)
  const output = { env: {} }
  await (await toolSandbox({ directory }))['shell.env']({ cwd: directory }, output)
  const env = { PATH, ...output.env }
  const rounds = quick ? 10 : 200
  const both = await interleave(
    rounds,
    () => run(server.config.shell, env, directory),
    () => run('/bin/bash', { PATH }, directory),
  )
  const added = both.map((round) => round.ours - round.bare)
  return {
    title: '8. A command in the tool sandbox',
    explanation: [
      'Switchyard: the launcher that OpenCode starts as its shell runs `bash -c :` in the sandbox of a task.',
      `bare: \`bash -c :\` without a sandbox. ${rounds} times each.`,
    ],
    unit: 'ms',
    rows: [
      { name: 'added to a command', ours: median(added), spread: spreadOf(added), aim: AIM_MS },
      {
        name: 'an empty command',
        ours: median(both.map((round) => round.ours)),
        bare: median(both.map((round) => round.bare)),
        spread: spreadOf(both.map((round) => round.ours / round.bare)),
      },
    ],
  }
}
