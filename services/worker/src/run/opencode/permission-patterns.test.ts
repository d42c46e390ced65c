import { describe, expect, it } from 'vitest'
import { matchesPattern } from './permission-patterns.ts'

describe('matchesPattern', () => {
  it.each([
    ['git push *', 'git push origin', true],
    ['git push *', 'git pull origin', false],
    ['*', 'line one\nline two', true],
    ['a.b', 'axb', false],
    ['$(*)', '$(date)', true],
    ['git', 'git status', false],
  ])('matches %j with %j: %s', (pattern, text, isMatch) => {
    expect(matchesPattern(pattern, text)).toBe(isMatch)
  })
})
