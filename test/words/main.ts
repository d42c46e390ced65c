// `npm run words`: fails when a comment, message, log line or document uses a word that docs/glossary.md leaves out.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { checkWords } from './check.ts'

/** These two name the words in order to leave them out. */
const NAMES_THE_WORDS = /^(?:test\/words\/|docs\/glossary\.md$)/

const root = process.argv[2] ?? path.resolve(import.meta.dirname, '../..')
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
const files = new Map(
  tracked
    .split('\n')
    .filter((file) => file !== '' && !NAMES_THE_WORDS.test(file) && existsSync(path.join(root, file)))
    .map((file) => [file, readFileSync(path.join(root, file), 'utf8')]),
)
const problems = checkWords(files)
for (const { file, line, word, instead } of problems)
  process.stdout.write(`${file}:${line}: "${word}": write ${instead}\n`)
process.stdout.write(`${files.size} files, ${problems.length} left-out words\n`)
process.exitCode = problems.length > 0 || files.size === 0 ? 1 : 0
