import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { VARIABLES } from '@switchyard/config'
import { FAILING_REPOSITORY } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRepository } from './repository.ts'
import { type System, startSystem } from './system.ts'

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))
const read = (file: string): Promise<string> => readFile(path.join(REPOSITORY, file), 'utf8')

const readme = await read('README.md')

/** The examples: every block that is marked as bash. Commands that start or deploy things are marked as sh. */
const examples = [...readme.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, code]) => code ?? '')

let system: System
let output: string

beforeAll(async () => {
  system = await startSystem('postgres')
  const repository = await makeRepository(path.join(system.home, 'repository'), FAILING_REPOSITORY)
  // Nothing but the shell, curl and sed; the first command that fails ends it.
  const script = ['set -euo pipefail', ...examples].join('\n')
  const { stdout } = await promisify(execFile)('bash', ['-c', script], {
    cwd: repository,
    env: { PATH: process.env.PATH, SWITCHYARD: system.url },
    timeout: 90_000,
  })
  output = stdout
})

afterAll(async () => {
  await system?.close()
})

describe('the README’s curl examples', () => {
  it('are there', () => {
    expect(examples.join('\n').match(/^(TASK=\$\()?curl /gm)?.length).toBeGreaterThan(10)
  })

  it('make a task that runs to its end, is followed live, and gets the message', async () => {
    expect(output).toMatch(/^task_[0-9A-Z]{26}$/m)
    expect(output).toMatch(/^id: 1$/m)
    expect(output).toContain('event: task_completed')
    expect(output).toContain('"message_id"')
    expect(system.model.requests.some((request) => request.lastUser.includes('Leave the tests as they are.'))).toBe(
      true,
    )
  })

  it('show the record, the files, the events and the list', () => {
    expect(output).toContain('"status":"completed"')
    expect(output).toContain('"sum.test.js"')
    expect(output).toContain('"has_more"')
    expect(output).toContain('"tasks":[{')
  })

  it('cancel a task and read it over MCP', () => {
    expect(output).toContain('"control":"cancel"')
    expect(output).toContain('"structuredContent"')
    expect(output).toMatch(/\\?"ready\\?":true/)
  })
})

describe('the settings', () => {
  /** In a table, a sentence or a command; not what an example sets for itself. */
  const named = () => {
    const prose = readme.replaceAll(/^```bash\n.*?^```$/gms, '')
    return [...new Set(prose.match(/(?<![$<\w])(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|PORT|HOST)\b(?!>)/g))]
  }

  it('are all in the README and in .env.example', async () => {
    const example = await read('.env.example')
    expect(VARIABLES.filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
    expect(VARIABLES.filter((name) => !new RegExp(`^#${name}=`, 'm').test(example))).toEqual([])
  })

  it('are each read by something: our code, the stack or OpenCode', async () => {
    const tests = await readdir(path.join(REPOSITORY, 'test'), { recursive: true })
    const code = await Promise.all([
      read('compose.yaml'),
      ...tests.filter((file) => file.endsWith('.ts')).map((file) => read(path.join('test', file))),
    ])
    const isRead = (name: string) =>
      VARIABLES.includes(name) ||
      // OpenCode’s own; what `npm start` runs inherits it.
      name === 'OPENCODE_CONFIG' ||
      code.some((text) => new RegExp(`(process\\.env\\.|\\$\\{|^ +)${name}\\b`, 'm').test(text))
    expect(named().length).toBeGreaterThan(VARIABLES.length)
    expect(named().filter((name) => !isRead(name))).toEqual([])
  })
})

describe('what the README points to', () => {
  it('is there: files and npm scripts', async () => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
    const run = [...readme.matchAll(/npm run ([a-z]+)/g)].map(([, name]) => name ?? '')
    expect(run.filter((name) => !(name in scripts))).toEqual([])
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, file]) => file ?? '')
    expect(links.length).toBeGreaterThan(0)
    for (const link of links) await expect(read(link)).resolves.not.toBe('')
  })

  it('is served: every tool that it names, and no other', async () => {
    const client = new Client({ name: 'readme', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(`${system.url}/mcp`)))
    const { tools } = await client.listTools()
    await client.close()
    const listed = /The tools: (.*?)\.\n/s.exec(readme)?.[1] ?? ''
    const said = [...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '')
    // The second name of execute_task is for clients of older setups.
    expect(
      tools
        .map((tool) => tool.name)
        .filter((name) => name !== 'opencode_execute_task')
        .sort(),
    ).toEqual(said.sort())
  })
})
