// Creates the tasks that a scenario submits. Each step of their scripts writes a mark to a file, so
// that executions can be counted.

import { type ScriptStep, script } from '@switchyard/testing'

export type Workload = {
  /** Unique; part of the prompt, of every command and of the last answer. */
  readonly token: string
  readonly description: string
  /** The lines that the tool steps append to `runs.txt`, in order. */
  readonly marks: readonly string[]
}

/** The file in the working directory to which every executed step appends a line. */
export const RUNS_FILE = 'runs.txt'

let count = 0

/** Returns a unique token that starts with the scenario's name. */
const newToken = (name: string): string => {
  count += 1
  return `${name}-${process.pid}-${count}`
}

export type WorkloadShape = {
  readonly steps: number
  /** Delay of the model before each step, ms. */
  readonly thinkMs?: number
  /** Duration of each step's tool, s. */
  readonly toolS?: number
  /** The step before which the model waits for `release(token)`. */
  readonly holdBefore?: number
  /** Text that each step streams. */
  readonly stream?: { readonly chunks: number; readonly delay_ms: number }
}

const markOf = (token: string, step: number): string => `${token}.${step}.`

const commandOf = (mark: string, toolS = 0): string =>
  `echo ${mark} >> ${RUNS_FILE}${toolS > 0 ? `; sleep ${toolS}` : ''}`

/** Returns a task whose steps each run a tool, followed by a last answer. */
export const createWorkload = (name: string, shape: WorkloadShape): Workload => {
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
