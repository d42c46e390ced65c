// Parses answers to a request: words or a reaction.

import type { Reply, TaskRequest } from '@switchyard/contracts'

/** The answer to a request, or what is wrong with it, for the person who gave it. */
export type RequestAnswer = Reply | { readonly problem: string }

type AnsweredRequest = Pick<TaskRequest, 'kind' | 'questions'>

const ONCE = /^(once|yes|y|ok|okay|allow|allowed|approve|approved|✅|👍)[.!]*$/iu
const ALWAYS = /^(always|♾)[.!]*$/iu
const REJECT = /^(?:no|n|reject|rejected|deny|denied|❌|👎)(?:[.!]*$|[\s,:;.!–-]+(.*)$)/isu

/** Removes variation selectors, which some clients add to an emoji. */
const normalize = (value: string): string => value.trim().replaceAll('\ufe0f', '')

const parsePermissionAnswer = (body: string): Reply | undefined => {
  const words = normalize(body)
  if (ONCE.test(words)) return { reply: 'once' }
  if (ALWAYS.test(words)) return { reply: 'always' }
  const rejected = REJECT.exec(words)
  if (!rejected) return undefined
  const reason = rejected[1]?.trim()
  return reason ? { reply: 'reject', message: reason } : { reply: 'reject' }
}

type Question = TaskRequest['questions'][number]

const NUMBERS = /^\d{1,3}(?:\s*[,\s]\s*\d{1,3})*$/

/** Returns the labels of the chosen numbers, or the words unchanged. */
const parseChoice = (question: Question, words: string): readonly string[] | { readonly problem: string } => {
  const { options, multiple } = question
  if (options.length === 0 || !NUMBERS.test(words)) return [words]
  const numbers = words.split(/[,\s]+/).map(Number)
  if (numbers.length > 1 && !multiple) return { problem: 'Choose only one option.' }
  const labels = numbers.map((number) => options[number - 1]?.label)
  const wrong = numbers.find((number) => options[number - 1] === undefined)
  if (wrong !== undefined)
    return { problem: `There is no option ${wrong}. Choose 1 to ${options.length}, or use your own words.` }
  return labels.filter((label) => label !== undefined)
}

const parseQuestionAnswer = (questions: readonly Question[], body: string): RequestAnswer => {
  const given = questions.length === 1 ? [body] : body.split('\n').filter((line) => line.trim() !== '')
  if (given.length !== questions.length)
    return { problem: `Reply with one line for each of the ${questions.length} questions, in order.` }
  const answers: string[][] = []
  for (const [index, question] of questions.entries()) {
    const choice = parseChoice(question, (given[index] ?? '').trim())
    if ('problem' in choice) return choice
    answers.push([...choice])
  }
  return { reply: answers }
}

/**
 * Parses a message as an answer. A permission request accepts a few words only, a question any.
 *
 * @returns undefined if the message is not an answer but a message for the agent.
 */
export const parseAnswer = (request: AnsweredRequest, body: string): RequestAnswer | undefined =>
  request.kind === 'permission' ? parsePermissionAnswer(body) : parseQuestionAnswer(request.questions, body)

const KEYCAP = /^([1-9])\u20e3$/u

/** Parses a reaction as an answer; undefined for an emoji without a meaning. */
export const parseReaction = (request: AnsweredRequest, key: string): RequestAnswer | undefined => {
  const emoji = normalize(key)
  if (request.kind === 'permission') return /^[✅👍♾❌👎]$/u.test(emoji) ? parsePermissionAnswer(emoji) : undefined
  if (emoji === '❌') return { reply: 'reject' }
  const [, number] = KEYCAP.exec(emoji) ?? []
  return number === undefined ? undefined : parseQuestionAnswer(request.questions, number)
}
