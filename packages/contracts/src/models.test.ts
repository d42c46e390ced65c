import { describe, expect, it } from 'vitest'
import { parseModel } from './models.ts'

describe('parseModel', () => {
  it.each([
    ['anthropic/claude', { providerID: 'anthropic', modelID: 'claude' }],
    ['openrouter/meta/llama-4', { providerID: 'openrouter', modelID: 'meta/llama-4' }],
    ['claude', undefined],
    ['/claude', undefined],
    ['', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('splits a name at its first slash: %j', (name, expected) => {
    expect(parseModel(name)).toEqual(expected)
  })
})
