// Finds the prose of a file: comments and sentences in strings of code, text of documents, comments of scripts and YAML.

import { parseSync } from 'oxc-parser'

export type Prose = { readonly line: number; readonly text: string }

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

/** Strings with two spaces or more are sentences; anything shorter is a name, a path or a key. */
const isSentence = (text: string): boolean => text.split(' ').length > 2

/** Fenced blocks, inline code, links' targets and HTML comments are not prose. */
const proseOfMarkdown = (text: string): readonly Prose[] => {
  let isFenced = false
  return text.split('\n').flatMap((line, index) => {
    if (line.trimStart().startsWith('```')) {
      isFenced = !isFenced
      return []
    }
    if (isFenced) return []
    return [{ line: index + 1, text: line.replace(/`[^`]*`/g, ' ').replace(/\]\([^)]*\)/g, '] ') }]
  })
}

const proseOfHashComments = (text: string): readonly Prose[] =>
  text.split('\n').flatMap((line, index) => {
    const comment = /(?:^|\s)#\s?(.*)$/.exec(line)?.[1]
    return comment === undefined ? [] : [{ line: index + 1, text: comment }]
  })

const proseOfCode = (file: string, text: string): readonly Prose[] => {
  const { comments } = parseSync(file, text)
  const found: Prose[] = comments.map((comment) => ({
    line: lineAt(text, comment.start),
    text: comment.value.replace(/`[^`]*`/g, ' '),
  }))
  let withoutComments = text
  for (const { start, end } of comments)
    withoutComments =
      withoutComments.slice(0, start) + text.slice(start, end).replace(/[^\n]/g, ' ') + withoutComments.slice(end)
  for (const match of withoutComments.matchAll(/'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)) {
    // SQL names tables and columns.
    if (/\bsql(?:<[^`]*>)?$/.test(withoutComments.slice(Math.max(0, match.index - 300), match.index))) continue
    const string = match[1] ?? match[2] ?? match[3] ?? ''
    const sentence = string.replace(/\$\{[^}]*\}/g, ' x ')
    if (isSentence(sentence)) found.push({ line: lineAt(text, match.index), text: sentence })
  }
  return found
}

/** Returns the prose of a file by its kind, with line numbers from 1; a kind that holds no prose has none. */
export const proseOf = (file: string, text: string): readonly Prose[] => {
  if (file.endsWith('.md')) return proseOfMarkdown(text)
  if (/\.tsx?$/.test(file)) return proseOfCode(file, text)
  if (/\.(?:sh|ya?ml)$|(?:^|\/)Dockerfile|(?:^|\/)\.env\.example$|(?:^|\/)\.ci\/run$/.test(file))
    return proseOfHashComments(text)
  return []
}
