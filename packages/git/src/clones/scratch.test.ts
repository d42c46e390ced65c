import { writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { sh, useTestDirectory } from '../git.fixture.ts'
import { createScratch } from './scratch.ts'

const at = useTestDirectory()

describe('createScratch', () => {
  it('returns the same repository on a second call, with the work in it', async () => {
    const first = await createScratch(at('s'))
    await writeFile(at('s', 'a'), 'a')
    await sh(at('s'), 'add', '-A')
    await sh(at('s'), 'commit', '-qm', 'work')
    expect(await createScratch(at('s'))).toEqual(first)
    expect(await sh(at('s'), 'log', '--format=%s')).toBe('work\nBegin s')
  })
})
