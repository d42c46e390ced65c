// What the migration has to say about one entry of the older manager's files.

/**
 * `problem`: something cannot be brought over. `warning`: it can, and you should know what of it differs. `note`: as it should be.
 */
export type Finding = {
  readonly kind: 'problem' | 'warning' | 'note'
  readonly where: string
  readonly message: string
}

export class Findings {
  readonly #all: Finding[] = []

  get all(): readonly Finding[] {
    return this.#all
  }

  problem(where: string, message: string): void {
    this.#all.push({ kind: 'problem', where, message })
  }

  warning(where: string, message: string): void {
    this.#all.push({ kind: 'warning', where, message })
  }

  note(where: string, message: string): void {
    this.#all.push({ kind: 'note', where, message })
  }
}
