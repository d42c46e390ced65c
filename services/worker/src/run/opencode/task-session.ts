// The OpenCode session of a task, and how prompts of the task run in it.

import { type ModelRef, parseModel } from '@switchyard/contracts'
import type { OpenCodeServer, SessionRef } from '@switchyard/opencode'
import type { RunRecord } from '../run-record.ts'

export type PromptOptions = {
  readonly model?: ModelRef
  readonly agent?: string
  readonly variant?: string
}

export type TaskSession = {
  readonly record: RunRecord
  readonly server: OpenCodeServer
  readonly ref: SessionRef
  readonly promptOptions: PromptOptions
  /** Aborts when the run is interrupted. */
  readonly signal: AbortSignal
}

export const promptOptionsOf = (record: RunRecord, defaultModel: string | undefined): PromptOptions => {
  const { model, agent, variant } = record.row
  const parsed = parseModel(model ?? defaultModel)
  return {
    ...(parsed ? { model: parsed } : {}),
    ...(agent ? { agent } : {}),
    ...(variant ? { variant } : {}),
  }
}
