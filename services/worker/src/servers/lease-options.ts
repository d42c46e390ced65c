// A server in use: who wants it, for how long it is waited for, and what is said where it takes nothing new.

import { SwitchyardError } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import type { ProjectServerRow } from '@switchyard/records'
import type { GoesOn } from './dedicated-server.ts'
import type { Holds } from './server-leases.ts'

/** How long a call waits for a server that cannot be used yet, ms: its caller hears why before it gives up by itself. */
const CALL_WAIT_MS = 30_000

/** A server for as long as it is used; until `release` it is not ended as idle. */
export type ServerUse = { readonly server: OpenCodeServer; readonly release: () => void }

export type UseOptions = {
  readonly signal?: AbortSignal | undefined
  /** How long it is waited for, ms; default: until the signal. */
  readonly withinMs?: number
  /** Such work goes to a server that is drained too; default: none does. */
  readonly goesOn?: GoesOn
}

/** Of a call: it ends in time, whatever becomes of the server. */
export const inCall = (signal?: AbortSignal, goesOn?: GoesOn): UseOptions => ({
  signal,
  withinMs: CALL_WAIT_MS,
  ...(goesOn ? { goesOn } : {}),
})

/** All of it is new. */
export const nothing: GoesOn = () => false

/** Holds it from now on. @param ends - ms since 1970; undefined: as long as a server waits for itself. */
export const hold = async (
  { server, holds }: { readonly server: OpenCodeServer; readonly holds: Holds },
  goesOn: GoesOn,
  signal: AbortSignal,
  ends: number | undefined,
): Promise<ServerUse> => {
  const release = holds.take(!goesOn(server))
  try {
    await server.ready({ signal, ...(ends === undefined ? {} : { timeoutMs: Math.max(0, ends - Date.now()) }) })
    return { server, release }
  } catch (error) {
    release()
    throw error
  }
}

/** What a call hears that waited in vain. */
export const notTaking = (row: ProjectServerRow | undefined): SwitchyardError => {
  const why = row?.detail ? `: ${row.detail}` : ''
  return new SwitchyardError(
    'opencode_unavailable',
    `the project’s own server is ${row?.state ?? 'stopped'}${why}`,
    row?.state === 'draining'
      ? {
          hint: 'It is replaced once what runs in it has ended: answer what its sessions ask, or abort them, then try again.',
        }
      : {},
  )
}
