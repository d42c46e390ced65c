import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
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
const clients = await read('docs/clients.md')
/** Every document, with its path from the root. */
const documents = await Promise.all(
  [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    ...(await readdir(path.join(REPOSITORY, 'docs'))).map((file) => `docs/${file}`),
  ]
    .filter((file) => file.endsWith('.md'))
    .map(async (file) => ({ file, text: await read(file) })),
)

/**
 * Names in the documents that look like settings: Matrix's error code, a placeholder's value, a
 * constant of the code.
 */
const NOT_SETTINGS = new Set(['M_LIMIT_EXCEEDED', 'CHANGE_ME_REQUIRED', 'INFRASTRUCTURE_CODES'])

/**
 * The runnable examples: every block marked as bash. Commands that start or deploy things are
 * marked as sh.
 */
const examples = [readme, clients].flatMap((text) =>
  [...text.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, code]) => code ?? ''),
)

let system: System
let output: string

beforeAll(async () => {
  system = await startSystem('postgres')
  const repository = await makeRepository(path.join(system.home, 'repository'), FAILING_REPOSITORY)
  // Nothing but the shell, curl and sed; the first command that fails ends it.
  const script = ['set -euo pipefail', ...examples].join('\necho\n')
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

describe('the curl examples of the README and docs/clients.md', () => {
  it('exist', () => {
    expect(examples.join('\n').match(/^(TASK=\$\()?curl /gm)?.length).toBeGreaterThan(10)
  })

  it('create a task that runs to its end, can be followed live, and receives the message', async () => {
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

  it('cancel a task and read it over MCP, then check health and readiness', () => {
    expect(output).toContain('"control":"cancel"')
    expect(output).toContain('"structuredContent"')
    expect(output).toMatch(/\\?"ready\\?":true/)
  })
})

describe('the README', () => {
  it('has at most 700 words', () => {
    expect(readme.split(/\s+/).length).toBeLessThanOrEqual(700)
  })
})

describe('the documents', () => {
  it('name only settings that the product, the stack or OpenCode reads', async () => {
    const compose = await read('compose.yaml')
    const catalog = await read('packages/model-gateway/src/providers/catalog.json')
    const tests = await readdir(path.join(REPOSITORY, 'test'), { recursive: true })
    const code = await Promise.all([
      compose,
      ...tests.filter((file) => file.endsWith('.ts')).map((file) => read(path.join('test', file))),
    ])
    // What an example sets for itself is no setting.
    const prose = documents.map(({ text }) => text.replaceAll(/^```.*?^```$/gms, '')).join('\n')
    const named = new Set(prose.match(/(?<=`)(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|PORT|HOST)(?=[`=])/g))
    const isRead = (name: string) =>
      VARIABLES.includes(name) ||
      NOT_SETTINGS.has(name) ||
      // The command line reads it, on the caller's side.
      name === 'SWITCHYARD_API_KEY' ||
      // OpenCode reads it as the key of a provider.
      catalog.includes(`"${name}"`) ||
      // OpenCode reads it, and a server under `npm start` inherits it.
      name === 'OPENCODE_CONFIG' ||
      code.some((text) => new RegExp(`(process\\.env\\.|\\$\\{|^ +)${name}\\b`, 'm').test(text))
    expect(named.size).toBeGreaterThan(50)
    expect([...named].filter((name) => !isRead(name))).toEqual([])
  })

  it('name only npm scripts that exist', async () => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
    const run = documents.flatMap(({ text }) => [...text.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name ?? ''))
    expect(run.length).toBeGreaterThan(0)
    expect(run.filter((name) => !(name in scripts) && name !== 'build')).toEqual([])
  })

  it('link only to files that exist', async () => {
    const links = documents.flatMap(({ file, text }) =>
      [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link]) => path.join(path.dirname(file), link ?? '')),
    )
    expect(links.length).toBeGreaterThan(30)
    const missing = links.filter((link) => !existsSync(path.join(REPOSITORY, link)))
    expect(missing).toEqual([])
  })

  it('list every tool that is served, and no other', async () => {
    const client = new Client({ name: 'readme', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(`${system.url}/mcp`)))
    const { tools } = await client.listTools()
    await client.close()
    const listed = /The tools: (.*?)\.\n/s.exec(clients)?.[1] ?? ''
    const named = [...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '')
    expect(tools.map((tool) => tool.name).sort()).toEqual(named.sort())
  })
})
