// What a migration has done, step by step and on disk before the next one: a crash is gone on from, and what was done can be undone.

import { open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'

const stepSchema = z.discriminatedUnion('step', [
  z.object({ step: z.literal('begun'), from: z.string(), url: z.string() }),
  z.object({ step: z.literal('saved') }),
  /** Before a project is registered. `existed`: it was there before, and is not ours to take away. */
  z.object({ step: z.literal('project'), key: z.string(), git_url: z.string(), existed: z.boolean() }),
  z.object({ step: z.literal('registered'), key: z.string(), project_id: z.string() }),
  /** After its deploy key was handed over. */
  z.object({ step: z.literal('key'), project_id: z.string() }),
  /** Before a sandbox is made. `existed`: one of that name was there before, and is not ours to take away. */
  z.object({
    step: z.literal('sandbox'),
    project_id: z.string(),
    name: z.string(),
    existed: z.boolean().default(false),
  }),
  /** After it was made by this migration, and after its import. */
  z.object({ step: z.literal('made'), project_id: z.string(), name: z.string() }),
  z.object({ step: z.literal('imported'), project_id: z.string(), name: z.string(), head: z.string() }),
  /** `isComplete`: nothing is left to be done by running it again. */
  z.object({ step: z.literal('ended'), isComplete: z.boolean() }),
  z.object({ step: z.literal('undone'), what: z.string() }),
])

export type Step = z.infer<typeof stepSchema>

const FILE = 'journal.jsonl'

export class Journal {
  readonly #file: string
  readonly #steps: Step[]

  private constructor(file: string, steps: Step[]) {
    this.#file = file
    this.#steps = steps
  }

  /** @returns with no step for a directory without a journal */
  static async open(directory: string): Promise<Journal> {
    const file = path.join(directory, FILE)
    const text = await readFile(file, 'utf8').catch(() => '')
    const steps = text.split('\n').flatMap((line) => {
      // A crash may have cut the last line; the step that it stood for is done again.
      const parsed = stepSchema.safeParse(parse(line))
      return parsed.success ? [parsed.data] : []
    })
    return new Journal(file, steps)
  }

  get steps(): readonly Step[] {
    return this.#steps
  }

  has<S extends Step['step']>(step: S, matches: (found: Extract<Step, { step: S }>) => boolean = () => true): boolean {
    return this.find(step, matches) !== undefined
  }

  find<S extends Step['step']>(
    step: S,
    matches: (found: Extract<Step, { step: S }>) => boolean = () => true,
  ): Extract<Step, { step: S }> | undefined {
    return this.#steps.find((found): found is Extract<Step, { step: S }> => {
      if (found.step !== step) return false
      return matches(found as Extract<Step, { step: S }>)
    })
  }

  /** On disk when it returns. */
  async add(step: Step): Promise<void> {
    const file = await open(this.#file, 'a', 0o600)
    try {
      await file.write(`${JSON.stringify({ ...step, at: new Date().toISOString() })}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    this.#steps.push(step)
  }
}

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
