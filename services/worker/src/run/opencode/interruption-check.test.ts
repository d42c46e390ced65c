import type { SessionMessage } from '@switchyard/opencode'
import { describe, expect, it } from 'vitest'
import { CONFIRM_AFTER_MS, InterruptionCheck } from './interruption-check.ts'

const message = (id: string, parts: number): SessionMessage =>
  ({ info: { id }, parts: Array.from({ length: parts }, () => ({})) }) as unknown as SessionMessage

const PROMPT = message('msg_1', 1)
const ANSWER = message('msg_2', 2)

const createCheck = () => {
  let now = 0
  const check = new InterruptionCheck(() => now)
  return {
    check,
    /** Reads these messages after so many more ms. */
    confirmAfter: (ms: number, ...messages: readonly SessionMessage[]) => {
      now += ms
      return check.confirm(messages)
    },
  }
}

describe('InterruptionCheck', () => {
  it('confirms an interruption that two reads have seen, far enough apart', () => {
    const { check, confirmAfter } = createCheck()
    expect(check.isPending).toBe(false)
    expect(confirmAfter(0, PROMPT, ANSWER)).toBe(false)
    expect(check.isPending).toBe(true)
    expect(confirmAfter(CONFIRM_AFTER_MS - 1, PROMPT, ANSWER)).toBe(false)
    expect(confirmAfter(1, PROMPT, ANSWER)).toBe(true)
    expect(check.isPending).toBe(false)
  })

  it.each([
    ['a message', [PROMPT, ANSWER, message('msg_3', 0)]],
    ['a part', [PROMPT, message('msg_2', 3)]],
  ])('starts over if the second read finds another %s', (_what, changed) => {
    const { confirmAfter } = createCheck()
    confirmAfter(0, PROMPT, ANSWER)
    expect(confirmAfter(CONFIRM_AFTER_MS, ...changed)).toBe(false)
    expect(confirmAfter(CONFIRM_AFTER_MS, ...changed)).toBe(true)
  })

  it('never confirms a turn that works between the reads', () => {
    const { check, confirmAfter } = createCheck()
    confirmAfter(0, PROMPT)
    check.reset()
    expect(confirmAfter(CONFIRM_AFTER_MS, PROMPT)).toBe(false)
  })
})
