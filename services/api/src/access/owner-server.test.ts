import { loadConfig } from '@switchyard/config'
import { describe, expect, it } from 'vitest'
import type { Caller } from './caller.ts'
import { ownerServerOf } from './owner-server.ts'

const TOKENS = {
  ops: 'ops:operator:0123456789abcdef0',
  one: 'one:agent:0123456789abcdef1',
  two: 'two:agent:0123456789abcdef2',
}
const configOf = (keys: readonly (keyof typeof TOKENS)[], env: Readonly<Record<string, string>> = {}) =>
  loadConfig({ OPENCODE_SHARING: 'owner', SWITCHYARD_API_KEYS: keys.map((name) => TOKENS[name]).join(','), ...env })
const one: Caller = { name: 'one', role: 'agent', agentId: undefined }
const ops: Caller = { name: 'ops', role: 'operator', agentId: undefined }

describe('ownerServerOf', () => {
  it('gives each agent key a server when there are several keys, and operators the shared one', () => {
    expect(ownerServerOf(configOf(['one', 'two']), one, null)).toBe('owner:one')
    expect(ownerServerOf(configOf(['ops', 'one']), one, undefined)).toBe('owner:one')
    expect(ownerServerOf(configOf(['ops', 'one']), ops, null)).toBeNull()
  })

  it('leaves a single key on the shared server, and all keys with OPENCODE_SHARING=all or in Docker mode', () => {
    expect(ownerServerOf(configOf(['one']), one, null)).toBeNull()
    for (const env of [{ OPENCODE_SHARING: 'all' }, { OPENCODE_SERVER_ENABLED: 'false' }])
      expect(ownerServerOf(configOf(['one', 'two'], env), one, null)).toBeNull()
  })

  it("uses a project's own server for the key that registered the project only", () => {
    const project = (owner: string) => ({ isolation: 'dedicated', owner_key: owner }) as const
    expect(ownerServerOf(configOf(['one', 'two']), one, project('one'))).toBeNull()
    expect(ownerServerOf(configOf(['one', 'two']), one, project('two'))).toBe('owner:one')
    expect(ownerServerOf(configOf(['one', 'two']), one, { isolation: 'shared', owner_key: 'one' })).toBe('owner:one')
  })
})
