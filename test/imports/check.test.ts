import { describe, expect, it } from 'vitest'
import { check } from './check.ts'

const problemsOf = (files: Readonly<Record<string, string>>) => [
  ...new Set(check(new Map(Object.entries(files))).problems.map(({ from, to }) => `${from} → ${to}`)),
]

const entry = (folder: string) => ({ [`${folder}/src/index.ts`]: 'export const a = 1\n' })

describe('the import rule', () => {
  it.each([
    ['packages/contracts/src/a.ts', 'packages/config'],
    ['packages/queue/src/a.ts', 'packages/records'],
    ['packages/process/src/a.ts', 'packages/records'],
    ['packages/git/src/a.ts', 'services/worker'],
    ['services/api/src/a.ts', 'services/worker'],
    ['services/api/src/a.ts', 'packages/testing'],
  ])('finds an import that it forbids, however it is written: %s of %s', (file, folder) => {
    const name = `@switchyard/${folder.split('/')[1]}`
    for (const text of [
      `import { a } from '${name}'`,
      `import type { A } from '${name}'`,
      `export * from '${name}'`,
      `await import('${name}')`,
    ])
      expect(problemsOf({ ...entry(folder), [file]: text })).toEqual([`${file} → ${folder}/src/index.ts`])
  })

  it('allows what the design allows', () => {
    expect(
      problemsOf({
        ...entry('packages/contracts'),
        ...entry('packages/records'),
        ...entry('services/worker'),
        'packages/queue/src/a.ts': `import { a } from '@switchyard/contracts'`,
        'services/api/src/a.ts': `import { a } from '@switchyard/records'`,
        'services/embedded/src/a.ts': `import { a } from '@switchyard/worker'`,
      }),
    ).toEqual([])
  })

  it('finds circles', () => {
    expect(
      problemsOf({ 'packages/git/src/a.ts': `import './b.ts'`, 'packages/git/src/b.ts': `import './a.ts'` }),
    ).toHaveLength(1)
  })
})
