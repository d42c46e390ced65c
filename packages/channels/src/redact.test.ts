import { expect, it } from 'vitest'
import { clip, redact } from './redact.ts'

/** Built at run time, so that the repository contains nothing that looks like a key. */
const fakeKey = (prefix: string) => `${prefix}${'a1B2'.repeat(9)}`

it.each([
  [`the key is ${fakeKey('sk-test-')}`, 'the key is [removed]'],
  [`use ${fakeKey('ghp_')} to push`, 'use [removed] to push'],
  ['Authorization: Bearer abcdef0123456789', 'Authorization: Bearer [removed]'],
  ['cloned https://user:hunter22@git.example.com/a.git', 'cloned https://[removed]@git.example.com/a.git'],
  ['set DB_PASSWORD=hunter22 in .env', 'set DB_PASSWORD=[removed] in .env'],
  ['{"api_key": "0123456789"}', '{"api_key": "[removed]"}'],
  [`key AKIA${'ABCD'.repeat(4)}`, 'key [removed]'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\nthere', '[removed]\nthere'],
])('removes secrets from %j', (text, redacted) => {
  expect(redact(text, 1_000)).toBe(redacted)
})

it('removes code blocks and diffs', () => {
  const text = 'Fixed it:\n```ts\nconst secretSauce = 1\n```\nAnd more.\n```\nnever closed\nsecretSauce'
  expect(redact(text, 1_000)).toBe('Fixed it:\n[code left out]\nAnd more.\n[code left out]')
  expect(redact('See:\n--- a/x.ts\n+++ b/x.ts\n@@ -1 +1 @@\n-old\n+new\nDone.', 1_000)).toBe('See:\nDone.')
})

it('keeps lists, which are not diffs, and ordinary words', () => {
  const text = '- one\n- two\n+ three\n\nThe token count is 12 and the password is never shown.'
  expect(redact(text, 1_000)).toBe(text)
})

it('shortens between characters, within the limit', () => {
  expect(clip('abcdef', 4)).toBe('abc…')
  expect(clip('ab😀cdef', 4)).toBe('ab…')
  expect(clip('abc', 0)).toBe('')
})

it.each(['a.', 'eyJ-', '```\n', '-----BEGIN ', 'password ', 'x://', ' '])(
  'takes little time for a long repetition of %j',
  (part) => {
    const began = performance.now()
    expect(redact(part.repeat(1_000_000), 100).length).toBeLessThanOrEqual(100)
    expect(performance.now() - began).toBeLessThan(3_000)
  },
)
