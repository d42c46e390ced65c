// What is meant by what people say: a command, an answer to a request, or words for the agent.

import type { Control, Reply, TaskRequest } from '@switchyard/contracts'

export type Command =
  | { readonly kind: 'control'; readonly control: Control; readonly reason: string | undefined }
  | { readonly kind: 'reject'; readonly reason: string | undefined }
  | { readonly kind: 'say'; readonly words: string }
  | { readonly kind: 'status' | 'diff' | 'help' }
  | { readonly kind: 'unknown'; readonly name: string }

/** @returns undefined where it is no command. */
export const commandOf = (body: string): Command | undefined => {
  const [, word, rest = ''] = /^!([a-z]+)\b\s*(.*)$/is.exec(body) ?? []
  if (word === undefined) return undefined
  const name = word.toLowerCase()
  const reason = rest.trim() === '' ? undefined : rest.trim().slice(0, 2_000)
  switch (name) {
    case 'cancel':
    case 'pause':
    case 'resume':
      return { kind: 'control', control: name, reason }
    case 'reject':
      return { kind: 'reject', reason }
    case 'say':
      return rest.trim() === '' ? { kind: 'help' } : { kind: 'say', words: rest.trim() }
    case 'status':
    case 'diff':
    case 'help':
      return { kind: name }
    default:
      return { kind: 'unknown', name: name.slice(0, 30) }
  }
}

/** An answer to a request; `problem`: what is wrong with it, for whoever gave it. */
export type Answer = Reply | { readonly problem: string }

const ONCE = /^(once|yes|y|ok|okay|allow|allowed|approve|approved|✅|👍)[.!]*$/iu
const ALWAYS = /^(always|♾)[.!]*$/iu
const REJECT = /^(?:no|n|reject|rejected|deny|denied|❌|👎)(?:[.!]*$|[\s,:;.!–-]+(.*)$)/isu

/** Variation selectors make one sign look in two ways. */
const plain = (value: string): string => value.trim().replaceAll('\ufe0f', '')

/** A permission's answer in words; undefined for any other words. */
const permissionAnswer = (body: string): Reply | undefined => {
  const words = plain(body)
  if (ONCE.test(words)) return { reply: 'once' }
  if (ALWAYS.test(words)) return { reply: 'always' }
  const rejected = REJECT.exec(words)
  if (!rejected) return undefined
  const reason = rejected[1]?.trim()
  return reason ? { reply: 'reject', message: reason } : { reply: 'reject' }
}

type Question = TaskRequest['questions'][number]

const NUMBERS = /^\d{1,3}(?:\s*[,\s]\s*\d{1,3})*$/

/** The labels that numbers stand for, or the words as they are. */
const choiceOf = (question: Question, words: string): readonly string[] | { readonly problem: string } => {
  const { options, multiple } = question
  if (options.length === 0 || !NUMBERS.test(words)) return [words]
  const numbers = words.split(/[,\s]+/).map(Number)
  if (numbers.length > 1 && !multiple) return { problem: 'Only one of them can be chosen.' }
  const labels = numbers.map((number) => options[number - 1]?.label)
  const wrong = numbers.find((number) => options[number - 1] === undefined)
  if (wrong !== undefined) return { problem: `There is no ${wrong}: choose from 1 to ${options.length}, or use words.` }
  return labels.filter((label) => label !== undefined)
}

const questionAnswer = (questions: readonly Question[], body: string): Answer => {
  const given = questions.length === 1 ? [body] : body.split('\n').filter((line) => line.trim() !== '')
  if (given.length !== questions.length)
    return { problem: `Give one line for each of the ${questions.length} questions, in their order.` }
  const answers: string[][] = []
  for (const [at, question] of questions.entries()) {
    const choice = choiceOf(question, (given[at] ?? '').trim())
    if ('problem' in choice) return choice
    answers.push([...choice])
  }
  return { reply: answers }
}

/** @returns undefined where these are words for the agent: a permission is answered by few words, a question by any. */
export const answerInWords = (request: Pick<TaskRequest, 'kind' | 'questions'>, body: string): Answer | undefined =>
  request.kind === 'permission' ? permissionAnswer(body) : questionAnswer(request.questions, body)

const KEYCAP = /^([1-9])\u20e3$/u

/** @returns undefined for a reaction that means nothing here. */
export const answerByReaction = (request: Pick<TaskRequest, 'kind' | 'questions'>, key: string): Answer | undefined => {
  const sign = plain(key)
  if (request.kind === 'permission') return /^[✅👍♾❌👎]$/u.test(sign) ? permissionAnswer(sign) : undefined
  if (sign === '❌') return { reply: 'reject' }
  const [, number] = KEYCAP.exec(sign) ?? []
  return number === undefined ? undefined : questionAnswer(request.questions, number)
}
