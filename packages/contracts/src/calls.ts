// Calls of the api that a worker answers: whatever needs git, a key or an OpenCode server, none of which the api reaches.
// Each is safe to repeat: a worker that dies in the middle of one leaves it to the next.

import type { z } from 'zod'
import { projectCalls } from './project-calls.ts'
import { publishCalls } from './publishing.ts'
import { sessionCalls } from './session-calls.ts'

export const CALLS = { ...projectCalls, ...publishCalls, ...sessionCalls } as const

export type CallKind = keyof typeof CALLS
export type CallArgs<K extends CallKind> = z.infer<(typeof CALLS)[K]['args']>
export type CallResult<K extends CallKind> = z.infer<(typeof CALLS)[K]['result']>

/** Who answers: a worker of that pool of OpenCode servers, or any worker. */
export type CallTarget = 'blue' | 'green' | 'any'
