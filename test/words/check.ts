// Reports the words that the glossary leaves out, wherever people read them.

import { LEFT_OUT_WORDS } from './list.ts'
import { proseOf } from './prose.ts'

export type WordProblem = {
  readonly file: string
  readonly line: number
  readonly word: string
  readonly instead: string
}

/** Returns every left-out word in the prose of `files`, which are texts by their path from the root. */
export const checkWords = (files: ReadonlyMap<string, string>): readonly WordProblem[] =>
  [...files].flatMap(([file, text]) =>
    proseOf(file, text).flatMap(({ line, text: prose }) =>
      LEFT_OUT_WORDS.flatMap(({ pattern, instead }) =>
        [...prose.toLowerCase().matchAll(pattern)].map((match) => ({ file, line, word: match[0], instead })),
      ),
    ),
  )
