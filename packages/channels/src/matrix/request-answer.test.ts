import { describe, expect, it } from 'vitest'
import { parseAnswer, parseReaction } from './request-answer.ts'

const permission = { kind: 'permission' as const, questions: [] }
const question = (options: readonly string[], multiple = false) => ({
  question: 'Which?',
  header: null,
  options: options.map((label) => ({ label, description: null })),
  multiple,
})
const requestOf = (...questions: ReturnType<typeof question>[]) => ({ kind: 'question' as const, questions })

describe('the answer to a permission request', () => {
  it.each([
    ['once', { reply: 'once' }],
    ['Yes!', { reply: 'once' }],
    ['always', { reply: 'always' }],
    ['no', { reply: 'reject' }],
    ['No, because it is Friday', { reply: 'reject', message: 'because it is Friday' }],
    ['reject: use npm ci', { reply: 'reject', message: 'use npm ci' }],
  ])('can be %s', (body, answer) => {
    expect(parseAnswer(permission, body)).toEqual(answer)
  })

  it.each(['nothing else matters', 'yes, but look at the tests first', 'once more with feeling', 'Note the port'])(
    'is not a message for the agent: %s',
    (body) => {
      expect(parseAnswer(permission, body)).toBeUndefined()
    },
  )

  it.each([
    ['✅', 'once'],
    ['♾️', 'always'],
    ['♾', 'always'],
    ['❌', 'reject'],
    ['❌️', 'reject'],
  ])('can be the reaction %s', (key, reply) => {
    expect(parseReaction(permission, key)).toEqual({ reply })
  })

  it.each(['🎉', '1️⃣', 'yes', ''])('cannot be the reaction %s', (key) => {
    expect(parseReaction(permission, key)).toBeUndefined()
  })
})

describe('the answer to a question', () => {
  it('can be a number or words', () => {
    const one = requestOf(question(['red', 'blue']))
    expect(parseAnswer(one, '2')).toEqual({ reply: [['blue']] })
    expect(parseAnswer(one, 'neither: green')).toEqual({ reply: [['neither: green']] })
    expect(parseReaction(one, '1️⃣')).toEqual({ reply: [['red']] })
    expect(parseReaction(one, '❌')).toEqual({ reply: 'reject' })
  })

  it('can have several numbers only if several options may be chosen', () => {
    expect(parseAnswer(requestOf(question(['a', 'b', 'c'], true)), '1, 3')).toEqual({ reply: [['a', 'c']] })
    expect(parseAnswer(requestOf(question(['a', 'b', 'c'])), '1, 3')).toHaveProperty('problem')
  })

  it('reports a number without an option, and is the number itself if there are no options', () => {
    expect(parseAnswer(requestOf(question(['a', 'b'])), '7')).toEqual({
      problem: expect.stringContaining('no option 7'),
    })
    expect(parseAnswer(requestOf(question([])), '7')).toEqual({ reply: [['7']] })
  })

  it('has one line per question', () => {
    const two = requestOf(question(['a', 'b']), question([]))
    expect(parseAnswer(two, '1\n\nin words')).toEqual({ reply: [['a'], ['in words']] })
    expect(parseAnswer(two, '1')).toHaveProperty('problem')
  })
})
