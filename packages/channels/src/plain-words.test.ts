import { expect, it } from 'vitest'
import { clip, plainWords } from './plain-words.ts'

/** Put together here, so that nothing that looks like a key is in the repository. */
const made = (prefix: string) => `${prefix}${'a1B2'.repeat(9)}`

it.each([
  [`the key is ${made('sk-test-')}`, 'the key is [removed]'],
  [`use ${made('ghp_')} to push`, 'use [removed] to push'],
  ['Authorization: Bearer abcdef0123456789', 'Authorization: Bearer [removed]'],
  ['cloned https://user:hunter22@git.example.com/a.git', 'cloned https://[removed]@git.example.com/a.git'],
  ['set DB_PASSWORD=hunter22 in .env', 'set DB_PASSWORD=[removed] in .env'],
  ['{"api_key": "0123456789"}', '{"api_key": "[removed]"}'],
  [`key AKIA${'ABCD'.repeat(4)}`, 'key [removed]'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\nthere', '[removed]\nthere'],
])('leaves secrets out of %j', (text, plain) => {
  expect(plainWords(text, 1_000)).toBe(plain)
})

it('leaves out what files hold', () => {
  const text = 'Fixed it:\n```ts\nconst secretSauce = 1\n```\nAnd more.\n```\nnever closed\nsecretSauce'
  expect(plainWords(text, 1_000)).toBe('Fixed it:\n[code left out]\nAnd more.\n[code left out]')
  expect(plainWords('See:\n--- a/x.ts\n+++ b/x.ts\n@@ -1 +1 @@\n-old\n+new\nDone.', 1_000)).toBe('See:\nDone.')
})

it('keeps lists, which are not diffs, and ordinary words', () => {
  const text = '- one\n- two\n+ three\n\nThe token count is 12 and the password is never shown.'
  expect(plainWords(text, 1_000)).toBe(text)
})

it('cuts between characters, within the limit', () => {
  expect(clip('abcdef', 4)).toBe('abc…')
  expect(clip('ab😀cdef', 4)).toBe('ab…')
  expect(clip('abc', 0)).toBe('')
})

it.each(['a.', 'eyJ-', '```\n', '-----BEGIN ', 'password ', 'x://', ' '])(
  'is soon done with any number of %j',
  (part) => {
    const began = performance.now()
    expect(plainWords(part.repeat(1_000_000), 100).length).toBeLessThanOrEqual(100)
    expect(performance.now() - began).toBeLessThan(3_000)
  },
)
