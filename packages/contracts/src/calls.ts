// The calls that a worker answers: everything that needs git, a key, an OpenCode server or the disk of the workspaces, which no
// other service reaches. Each call is safe to repeat: when its worker dies, another worker starts it again.

import type { z } from 'zod'
import { projectCalls } from './project-calls.ts'
import { publishCalls } from './publishing.ts'
import { sessionCalls } from './session-calls.ts'
import { workspaceCalls } from './workspace-calls.ts'

export const CALLS = { ...projectCalls, ...publishCalls, ...sessionCalls, ...workspaceCalls } as const

export type CallKind = keyof typeof CALLS
export type CallArgs<K extends CallKind> = z.infer<(typeof CALLS)[K]['args']>
export type CallResult<K extends CallKind> = z.infer<(typeof CALLS)[K]['result']>

/** Answers one kind of call. The signal aborts when the worker stops. */
export type CallHandler<K extends CallKind> = (args: CallArgs<K>, signal: AbortSignal) => Promise<CallResult<K>>
export type CallHandlers<K extends CallKind = CallKind> = { readonly [Kind in K]: CallHandler<Kind> }

/** Which workers may answer: those of a pool of OpenCode servers, or any. */
export type CallTarget = 'blue' | 'green' | 'any'
