// The tasks that a scenario submits: scripts whose every step leaves a mark that can be counted afterwards.

import { type ScriptStep, script } from '@switchyard/testing'

export type Work = {
  /** Unique: it is in the prompt, in every command and in the last words. */
  readonly token: string
  readonly description: string
  /** What each tool step appends to `runs.txt`, in order. */
  readonly marks: readonly string[]
}

/** The file, in the working directory, that shows what was executed and how often. */
export const RUNS_FILE = 'runs.txt'

let count = 0

/** @param name - the scenario; the token says where a stray task comes from. */
const newToken = (name: string): string => {
  count += 1
  return `${name}-${process.pid}-${count}`
}

export type Shape = {
  readonly steps: number
  /** Milliseconds that the model thinks before each step. */
  readonly thinkMs?: number
  /** Seconds that the tool of each step runs. */
  readonly toolS?: number
  /** The step before which the model holds until `release(token)`. */
  readonly holdBefore?: number
  /** Text that is streamed in each step. */
  readonly stream?: { readonly chunks: number; readonly delay_ms: number }
}

/** The mark of one step, and the command that leaves it. */
const markOf = (token: string, step: number): string => `${token}.${step}.`

const commandOf = (mark: string, toolS = 0): string =>
  `echo ${mark} >> ${RUNS_FILE}${toolS > 0 ? `; sleep ${toolS}` : ''}`

/** Steps that each run a tool, then last words. */
export const makeWork = (name: string, shape: Shape): Work => {
  const token = newToken(name)
  const marks = Array.from({ length: shape.steps }, (_, step) => markOf(token, step))
  const steps = marks.flatMap((mark, step): ScriptStep[] => [
    ...(shape.thinkMs ? [{ wait: shape.thinkMs }] : []),
    ...(shape.holdBefore === step ? [{ hold: token }] : []),
    {
      ...(shape.stream ? { stream: shape.stream } : {}),
      tool: 'bash',
      args: { command: commandOf(mark, shape.toolS), description: `step ${step}` },
    },
  ])
  return {
    token,
    marks,
    description: `Do ${token} ${script([...steps, { say: `${token} is done.` }])}`,
  }
}
