import type { TaskError } from '@switchyard/contracts'
import { describe, expect, it } from 'vitest'
import { judgeTurn } from './judge-turn.ts'

const error: TaskError = { code: 'model_error', message: 'the model failed', retryable: true }
const sessionError = { name: 'UnknownError', data: { message: 'model not found' } } as const

describe('judgeTurn', () => {
  it('passes on the error of a turn that failed or was halted by a rejection', () => {
    for (const end of ['failed', 'halted'] as const)
      expect(judgeTurn({ end, error }, null)).toEqual({ kind: 'failed', error })
  })

  it('takes the error of a turn without an answer from the last error event', () => {
    const turn = { end: 'unanswered', error: null } as const
    expect(judgeTurn(turn, sessionError)).toMatchObject({ kind: 'failed', error: { message: /model not found/ } })
    expect(judgeTurn(turn, null)).toEqual({ kind: 'interrupted', end: 'unanswered' })
  })

  it('calls a turn interrupted that was aborted or has no end, whatever the error events were', () => {
    for (const end of ['aborted', 'open'] as const)
      expect(judgeTurn({ end, error: null }, sessionError)).toEqual({ kind: 'interrupted', end })
  })

  it('calls a turn finished that has an answer, even after an error event', () => {
    expect(judgeTurn({ end: 'finished', error: null }, sessionError)).toEqual({ kind: 'finished' })
  })
})
