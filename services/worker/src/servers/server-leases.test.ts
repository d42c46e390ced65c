import { describe, expect, it } from 'vitest'
import { leaseTimeout, ServerLeases } from './server-leases.ts'

describe('ServerLeases', () => {
  it('counts the active leases, and each release once', () => {
    const leases = new ServerLeases()
    const releases = [leases.acquire(true), leases.acquire(false)]
    expect(leases.active).toBe(2)
    releases[0]?.()
    releases[0]?.()
    expect(leases.active).toBe(1)
  })

  it('counts only leases that start new work as a reason to keep the server', () => {
    const leases = new ServerLeases()
    leases.acquire(false)()
    expect(leases.startedWork).toBe(0)
    leases.acquire(true)()
    expect(leases.startedWork).toBe(1)
  })
})

describe('leaseTimeout', () => {
  it('says that a server without a record is stopped, and can be retried', () => {
    expect(leaseTimeout(undefined)).toMatchObject({
      code: 'opencode_unavailable',
      retryable: true,
      message: "the project's own server is stopped",
    })
  })
})
