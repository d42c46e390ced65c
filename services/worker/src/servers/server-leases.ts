// Leases on an OpenCode server: who uses it, and how long a caller waits for it.

import { SwitchyardError } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import type { ProjectServerRow } from '@switchyard/records'

/** How long a call waits for a server, ms: it fails before its caller times out, and says why. */
const CALL_WAIT_MS = 30_000

/** A server in use. It is not stopped as idle until `release` is called. */
export type ServerLease = { readonly server: OpenCodeServer; readonly release: () => void }

/**
 * Returns whether the lease is for work that runs on the server already, such as the answer to a
 * request of its turn. Such a lease is granted on a draining server too.
 */
export type ContinuesWork = (server: OpenCodeServer) => boolean

export type LeaseOptions = {
  readonly signal?: AbortSignal | undefined
  /** How long to wait for the server, ms; default: until the signal aborts. */
  readonly withinMs?: number
  /** Default: the lease starts new work. */
  readonly continuesWork?: ContinuesWork
}

export const startsNewWork: ContinuesWork = () => false

/**
 * Returns the lease options of a call, which has to answer in time even if the server does not
 * become available.
 */
export const callLease = (signal?: AbortSignal, continuesWork?: ContinuesWork): LeaseOptions => ({
  signal,
  withinMs: CALL_WAIT_MS,
  ...(continuesWork ? { continuesWork } : {}),
})

/** Counts the leases on one server. */
export class ServerLeases {
  #active = 0
  #startedWork = 0

  get active(): number {
    return this.#active
  }

  /**
   * Leases that started new work, since the beginning. A count that rises means that the server is
   * needed again.
   */
  get startedWork(): number {
    return this.#startedWork
  }

  /** @returns a function that releases the lease; further calls do nothing. */
  acquire(startsWork: boolean): () => void {
    this.#active += 1
    if (startsWork) this.#startedWork += 1
    let isActive = true
    return () => {
      if (isActive) this.#active -= 1
      isActive = false
    }
  }
}

/** A server that can be leased. */
export type Leasable = { readonly server: OpenCodeServer; readonly leases: ServerLeases }

/**
 * Leases a server and waits until it is ready.
 *
 * @param deadline - ms since 1970; undefined: the server's own limit for `ready`.
 * @throws SwitchyardError `opencode_unavailable`; the signal's reason. The lease is released then.
 */
export const lease = async (
  { server, leases }: Leasable,
  continuesWork: ContinuesWork,
  signal: AbortSignal,
  deadline: number | undefined,
): Promise<ServerLease> => {
  const release = leases.acquire(!continuesWork(server))
  try {
    await server.ready({
      signal,
      ...(deadline === undefined ? {} : { timeoutMs: Math.max(0, deadline - Date.now()) }),
    })
    return { server, release }
  } catch (error) {
    release()
    throw error
  }
}

/** Returns the error for a caller whose wait for a project's own server has timed out. */
export const leaseTimeout = (row: ProjectServerRow | undefined): SwitchyardError => {
  const why = row?.detail ? `: ${row.detail}` : ''
  return new SwitchyardError(
    'opencode_unavailable',
    `the project's own server is ${row?.state ?? 'stopped'}${why}`,
    row?.state === 'draining'
      ? {
          hint: 'Answer the requests of its running sessions or abort them, then try again: the server restarts after that.',
        }
      : {},
  )
}
