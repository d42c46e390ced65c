import path from 'node:path'
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
    ['services/api/src/a.ts', 'packages/git'],
    ['services/api/src/a.ts', 'packages/opencode'],
    ['services/api/src/a.ts', 'packages/docker'],
    ['services/api/src/a.ts', 'packages/workspace'],
    ['services/notifier/src/a.ts', 'packages/git'],
    ['services/notifier/src/a.ts', 'packages/opencode'],
    ['services/notifier/src/a.ts', 'packages/docker'],
    ['services/notifier/src/a.ts', 'packages/workspace'],
    ['packages/workspace/src/a.ts', 'packages/queue'],
    ['packages/workspace/src/a.ts', 'packages/opencode'],
    ['packages/worker-calls/src/a.ts', 'packages/workspace'],
    ['packages/worker-calls/src/a.ts', 'packages/git'],
    ['packages/steering/src/a.ts', 'packages/git'],
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

  it('allows the api and the notifier the identities of git, and their tests the rest', () => {
    const files = {
      ...entry('packages/git'),
      ...entry('packages/workspace'),
      'packages/git/src/identity/index.ts': 'export const a = 1',
      'services/api/src/a.ts': `import { a } from '@switchyard/git/identity'`,
      'services/notifier/src/a.ts': `import { a } from '@switchyard/git/identity'`,
      'services/api/src/a.test.ts': `import { a } from '@switchyard/workspace'`,
    }
    expect(problemsOf(files)).toEqual([])
  })

  it('allows a workspace git and records, and the worker calls process, queue and records', () => {
    const names = ['git', 'records', 'process', 'queue', 'contracts', 'config']
    const imports = (...of: string[]) => of.map((name) => `import '@switchyard/${name}'`).join('\n')
    const files = {
      ...Object.assign({}, ...names.map((name) => entry(`packages/${name}`))),
      'packages/workspace/src/a.ts': imports('contracts', 'config', 'git', 'records'),
      'packages/worker-calls/src/a.ts': imports('contracts', 'process', 'queue', 'records'),
    }
    expect(problemsOf(files)).toEqual([])
  })

  it.each(['packages/git/src/identity/index.ts', 'packages/workspace/src/layout.ts'])(
    'finds what %s loads beyond pure functions, also through another file',
    (pure) => {
      const helper = `${path.posix.dirname(pure)}/helper.ts`
      const files = { [pure]: `import './helper.ts'\nimport 'node:path'`, [helper]: `import 'node:fs/promises'` }
      expect(problemsOf(files)).toEqual([`${helper} → node:fs/promises`])
    },
  )

  it('finds cycles', () => {
    expect(
      problemsOf({ 'packages/git/src/a.ts': `import './b.ts'`, 'packages/git/src/b.ts': `import './a.ts'` }),
    ).toHaveLength(1)
  })

  it('finds a cycle between the folders of a service, though no two files import each other', () => {
    const layers = {
      'services/api/src/app.ts': `import './rest/routes.ts'`,
      'services/api/src/rest/routes.ts': `import '../tasks/accept.ts'`,
      'services/api/src/tasks/accept.ts': '',
      'services/api/src/tasks/accept.test.ts': `import '../rest/routes.ts'`,
    }
    expect(problemsOf(layers)).toEqual([])
    expect(problemsOf({ ...layers, 'services/api/src/tasks/list.ts': `import '../rest/page.ts'` })).toEqual([
      'services/api/src/tasks → services/api/src/rest',
    ])
  })

  it('finds a folder of a service that imports a file on top', () => {
    expect(
      problemsOf({
        'services/api/src/app.ts': `import './tasks/accept.ts'`,
        'services/api/src/tasks/accept.ts': `import '../metrics.ts'`,
        'services/api/src/metrics.ts': '',
      }),
    ).toEqual(['services/api/src/tasks → services/api/src'])
  })
})
