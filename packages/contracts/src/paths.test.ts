import { describe, expect, it } from 'vitest'
import { isBelow, isInside } from './paths.ts'

describe('isInside', () => {
  it.each([
    ['/work', '/work/a', true],
    ['/work', '/work/a/b', true],
    ['/work', '/work/..a', true],
    ['/', '/work', true],
    ['/work', '/', false],
    ['/work', '/workspace', false],
    ['/work', '/work/../etc', false],
    ['/work/a', '/work/b', false],
  ])('compares whole path segments: %s and %s', (root, candidate, expected) => {
    expect(isInside(root, candidate)).toBe(expected)
    expect(isBelow(root, candidate)).toBe(expected)
  })

  it('includes the directory itself, which isBelow does not', () => {
    expect(isInside('/work', '/work')).toBe(true)
    expect(isBelow('/work', '/work')).toBe(false)
  })
})
