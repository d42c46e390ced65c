import { describe, expect, it } from 'vitest'
import { answerByReaction, answerInWords, commandOf } from './meaning.ts'

const permission = { kind: 'permission' as const, questions: [] }
const question = (options: readonly string[], multiple = false) => ({
  question: 'Which?',
  header: null,
  options: options.map((label) => ({ label, description: null })),
  multiple,
})
const asks = (...questions: ReturnType<typeof question>[]) => ({ kind: 'question' as const, questions })

describe('a command', () => {
  it.each([
    ['!cancel', { kind: 'control', control: 'cancel', reason: undefined }],
    ['!Pause until\nMonday', { kind: 'control', control: 'pause', reason: 'until\nMonday' }],
    ['!reject not now', { kind: 'reject', reason: 'not now' }],
    ['!say 2', { kind: 'say', words: '2' }],
    ['!diff', { kind: 'diff' }],
    ['!frobnicate it', { kind: 'unknown', name: 'frobnicate' }],
  ])('is %s', (body, meant) => {
    expect(commandOf(body)).toEqual(meant)
  })

  it.each(['cancel', '! cancel', 'please !cancel', '!', '!!'])('is not %s', (body) => {
    expect(commandOf(body)).toBeUndefined()
  })
})

describe('a permission', () => {
  it.each([
    ['once', { reply: 'once' }],
    ['Yes!', { reply: 'once' }],
    ['always', { reply: 'always' }],
    ['no', { reply: 'reject' }],
    ['No, because it is Friday', { reply: 'reject', message: 'because it is Friday' }],
    ['reject: use npm ci', { reply: 'reject', message: 'use npm ci' }],
  ])('is answered by %s', (body, answer) => {
    expect(answerInWords(permission, body)).toEqual(answer)
  })

  it.each(['nothing else matters', 'yes, but look at the tests first', 'once more with feeling', 'Note the port'])(
    'is not answered by words for the agent: %s',
    (body) => {
      expect(answerInWords(permission, body)).toBeUndefined()
    },
  )

  it.each([
    ['✅', 'once'],
    ['♾️', 'always'],
    ['♾', 'always'],
    ['❌', 'reject'],
    ['❌️', 'reject'],
  ])('is answered by the reaction %s', (key, reply) => {
    expect(answerByReaction(permission, key)).toEqual({ reply })
  })

  it.each(['🎉', '1️⃣', 'yes', ''])('is not answered by the reaction %s', (key) => {
    expect(answerByReaction(permission, key)).toBeUndefined()
  })
})

describe('a question', () => {
  it('is answered by a number, or by words', () => {
    const one = asks(question(['red', 'blue']))
    expect(answerInWords(one, '2')).toEqual({ reply: [['blue']] })
    expect(answerInWords(one, 'neither: green')).toEqual({ reply: [['neither: green']] })
    expect(answerByReaction(one, '1️⃣')).toEqual({ reply: [['red']] })
    expect(answerByReaction(one, '❌')).toEqual({ reply: 'reject' })
  })

  it('takes several numbers only where several may be chosen', () => {
    expect(answerInWords(asks(question(['a', 'b', 'c'], true)), '1, 3')).toEqual({ reply: [['a', 'c']] })
    expect(answerInWords(asks(question(['a', 'b', 'c'])), '1, 3')).toHaveProperty('problem')
  })

  it('says which number is wrong, and takes a number for itself where there is nothing to choose from', () => {
    expect(answerInWords(asks(question(['a', 'b'])), '7')).toEqual({ problem: expect.stringContaining('no 7') })
    expect(answerInWords(asks(question([])), '7')).toEqual({ reply: [['7']] })
  })

  it('that is several takes a line for each', () => {
    const two = asks(question(['a', 'b']), question([]))
    expect(answerInWords(two, '1\n\nin words')).toEqual({ reply: [['a'], ['in words']] })
    expect(answerInWords(two, '1')).toHaveProperty('problem')
  })
})
