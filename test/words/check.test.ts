import { describe, expect, it } from 'vitest'
import { checkWords } from './check.ts'

const wordsOf = (file: string, text: string) =>
  checkWords(new Map([[file, text]])).map(({ line, word }) => [line, word])

describe('the word check', () => {
  it('finds a left-out word in a comment, a log line, a document and a script', () => {
    expect(wordsOf('a.ts', 'const a = 1\n/** Is told when it ends. */')).toEqual([[2, 'told']])
    expect(wordsOf('a.ts', "logger.warn({}, 'the server is away for now')")).toEqual([[1, 'is away']])
    expect(wordsOf('a.ts', '`task $' + '{id} waits in its lane`')).toEqual([[1, 'lane']])
    expect(wordsOf('a.md', '# Title\n\nThe agent is told.')).toEqual([[3, 'told']])
    expect(wordsOf('compose.yaml', 'services: # each lane has one')).toEqual([[1, 'lane']])
  })

  it('passes over code, names, inline code and fenced blocks', () => {
    expect(
      wordsOf('a.ts', "const told = row['lane']\nimport './told.ts'\n// The column `lanes` keeps its name."),
    ).toEqual([])
    expect(wordsOf('a.ts', 'sql<{ lane: string }>`SELECT the lane FROM d`')).toEqual([])
    expect(wordsOf('a.md', 'Read `workers.lanes`.\n\n```sh\necho told\n```')).toEqual([])
  })
})
