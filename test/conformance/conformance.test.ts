// Runs the public MCP conformance suite against the api.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type RunningApi, startApi } from './api.ts'

const BASELINE = path.join(import.meta.dirname, 'baseline.yml')
/** Scenarios that must pass with at least one check each. */
const APPLICABLE = ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection']
const SUITE_MS = 120_000

let api: RunningApi

beforeAll(async () => {
  api = await startApi()
})

afterAll(async () => {
  await api.close()
})

/** Returns the path of the suite's program, which its package does not export. */
const program = (): string => {
  const manifest = import.meta.resolve('@modelcontextprotocol/conformance/package.json')
  return fileURLToPath(new URL('dist/index.js', manifest))
}

const run = async (args: readonly string[]): Promise<{ code: unknown; output: string }> => {
  const child = spawn(process.execPath, [program(), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(SUITE_MS),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const [code] = await once(child, 'close')
  return { code, output }
}

/**
 * Returns the number of passed checks by scenario, from lines such as `✓ ping: 1 passed, 0 failed`.
 */
const passedOf = (output: string): ReadonlyMap<string, number> =>
  new Map(
    [...output.matchAll(/^✓ ([\w-]+): (\d+) passed, 0 failed/gm)].map((match) => [match[1] ?? '', Number(match[2])]),
  )

describe('the MCP endpoint', () => {
  it('passes every server scenario except those that do not apply', async () => {
    const { code, output } = await run(['server', '--url', api.url, '--suite', 'all', '--expected-failures', BASELINE])
    const passed = passedOf(output)
    for (const scenario of APPLICABLE) expect(passed.get(scenario), `${scenario}\n${output}`).toBeGreaterThan(0)
    expect(code, output).toBe(0)
  })

  it('excludes no scenario that applies', async () => {
    const { server } = parse(await readFile(BASELINE, 'utf8')) as { server: string[] }
    expect(server.filter((scenario) => APPLICABLE.includes(scenario))).toEqual([])
  })
})
