// The journal of a migration: every step, on disk before the next one starts. An interrupted run
// continues from it, and an undo reverts it.

import { open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'

const stepSchema = z.discriminatedUnion('step', [
  z.object({ step: z.literal('begun'), from: z.string(), url: z.string() }),
  z.object({ step: z.literal('saved') }),
  /**
   * Before a project is registered. `existed`: it was registered before the migration, so undo
   * keeps it.
   */
  z.object({ step: z.literal('project'), key: z.string(), git_url: z.string(), existed: z.boolean() }),
  z.object({ step: z.literal('registered'), key: z.string(), project_id: z.string() }),
  /** After the project received its deploy key. */
  z.object({ step: z.literal('key'), project_id: z.string() }),
  /**
   * Before a sandbox is created. `existed`: the name was in use before the migration, so undo keeps
   * it.
   */
  z.object({
    step: z.literal('sandbox'),
    project_id: z.string(),
    name: z.string(),
    existed: z.boolean().default(false),
  }),
  /** After this migration created the sandbox. */
  z.object({ step: z.literal('made'), project_id: z.string(), name: z.string() }),
  /** After the commits and changes were imported into the sandbox. */
  z.object({ step: z.literal('imported'), project_id: z.string(), name: z.string(), head: z.string() }),
  /** `isComplete`: another run would have nothing to do. */
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

  /** Reads the journal of a backup. A directory without one has no steps. */
  static async open(directory: string): Promise<Journal> {
    const file = path.join(directory, FILE)
    const text = await readFile(file, 'utf8').catch(() => '')
    const steps = text.split('\n').flatMap((line) => {
      // A crash may have cut off the last line; its step then runs again.
      const parsed = stepSchema.safeParse(parseJson(line))
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

  /** Appends a step. Resolves when it is on disk. */
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

const parseJson = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
