// Measures the time and memory of many projects and sandboxes.

import { cp, readFile } from 'node:fs/promises'
import path from 'node:path'
import type { ProjectInfo, StartedProject } from '@switchyard/contracts'
import { connectMcp, type McpCaller } from '../integration/mcp-caller.ts'
import { median, spreadOf } from './figures.ts'
import { measureCalls } from './load.ts'
import type { Row, Section } from './report.ts'
import { addWorktree, makeClone, makeSizedRepository } from './repositories.ts'
import { type Postgres, Resources, type SwitchyardSystem, startSwitchyardSystem } from './resources.ts'

const CALLERS = 2

/** Returns the resident memory of a process without its children, MiB. */
const residentMiB = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1_024)
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await work()
  return performance.now() - began
}

const row = (name: string, ours: readonly number[], bare?: readonly number[]): Row => ({
  name,
  ours: median(ours),
  ...(bare === undefined ? {} : { bare: median(bare) }),
  spread: bare === undefined ? spreadOf(ours) : spreadOf(ours.map((value) => value / median(bare))),
})

type Setup = { readonly system: SwitchyardSystem; readonly mcp: McpCaller; readonly root: string }

const setUp = async (resources: Resources, postgres: Postgres): Promise<Setup> => {
  const system = await startSwitchyardSystem(resources, postgres, 4)
  const mcp = await connectMcp(system.switchyard.url)
  resources.onClose(mcp.close)
  return { system, mcp, root: await resources.directory('repositories') }
}

const registerProjects = async ({ mcp, root }: Setup, count: number) => {
  const first = await makeSizedRepository(path.join(root, 'r0'))
  for (let at = 1; at <= count; at += 1) await cp(first, path.join(root, `r${at}`), { recursive: true })
  let next = 0
  const ours = await measureCalls({ callers: CALLERS, calls: count }, async () => {
    next += 1
    await mcp.call<StartedProject>('opencode_project_start', { git_url: `file://${path.join(root, `r${next}`)}` })
  })
  const bare: number[] = []
  for (let at = 0; at < 10; at += 1) bare.push(await timed(() => makeClone(first, path.join(root, `clone${at}`))))
  return { ours, bare }
}

const createSandboxes = async ({ mcp, root }: Setup, count: number) => {
  const repository = path.join(root, 'r1')
  const ours: number[] = []
  for (let at = 0; at < count; at += 1)
    ours.push(
      await timed(() => mcp.call('opencode_sandbox_create', { git_url: `file://${repository}`, name: `s${at}` })),
    )
  const bare: number[] = []
  for (let at = 0; at < 10; at += 1)
    bare.push(await timed(() => addWorktree(repository, path.join(root, `worktree${at}`), `w${at}`)))
  return { ours, bare }
}

export const measureProjects = async (postgres: Postgres, quick: boolean): Promise<Section> => {
  await using resources = new Resources()
  const [projects, sandboxes, rounds] = quick ? [10, 5, 5] : [200, 50, 20]
  const setup = await setUp(resources, postgres)
  const { mcp, system } = setup
  const memory = async () => ({
    switchyard: await residentMiB(system.switchyard.pid),
    opencode: await residentMiB(system.opencode.pid),
  })
  const list = () => timed(() => mcp.call<{ projects: readonly ProjectInfo[] }>('opencode_project_list'))
  const repeat = async (work: () => Promise<number>, times = rounds): Promise<readonly number[]> => {
    const figures: number[] = []
    for (let round = 0; round < times; round += 1) figures.push(await work())
    return figures
  }
  const before = await memory()
  const registered = await registerProjects(setup, projects)
  const afterProjects = await memory()
  const listed = await repeat(list)
  const created = await createSandboxes(setup, sandboxes)
  const listedWithSandboxes = await repeat(list)
  const url = `file://${path.join(setup.root, 'r1')}`
  const states = await repeat(() => timed(() => mcp.call('opencode_sandbox_list', { git_url: url })), 5)
  const after = await memory()
  const each = ((afterProjects.opencode - before.opencode) / projects).toFixed(1)
  return {
    title: '7. Many projects and many sandboxes',
    explanation: [
      `Switchyard: ${CALLERS} callers register ${projects} local repositories of 200 files with opencode_project_start and list them with`,
      `live status, then create ${sandboxes} sandboxes in one of them; api, worker and queue in one process.`,
      "bare: git clone of such a repository; git worktree add. Git alone, with the machine's hooks and settings.",
    ],
    unit: 'ms',
    rows: [
      row(`register one of ${projects} projects`, registered.ours, registered.bare),
      row(`list ${projects} projects with live status`, listed),
      row(`create one of ${sandboxes} sandboxes`, created.ours, created.bare),
      row(`list ${projects} projects, one with ${sandboxes} sandboxes`, listedWithSandboxes),
      row(`list ${sandboxes} sandboxes with their git state`, states),
    ],
    notes: [
      `memory of Switchyard: ${before.switchyard} MiB at the start, ${afterProjects.switchyard} with ${projects} projects, ${after.switchyard} with ${sandboxes} sandboxes`,
      `memory of OpenCode: ${before.opencode} MiB at the start, ${afterProjects.opencode} with ${projects} projects (${each} each), ${after.opencode} with ${sandboxes} sandboxes`,
    ],
  }
}
