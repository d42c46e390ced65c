// Collects what the operator should know about the older manager's files.

/**
 * `problem`: something cannot be migrated completely. `warning`: the result differs from the
 * original. `note`: needs no attention.
 */
export type Diagnostic = {
  readonly kind: 'problem' | 'warning' | 'note'
  /**
   * The file, entry or directory that the message is about; the message continues it as a sentence.
   */
  readonly where: string
  readonly message: string
}

export class Diagnostics {
  readonly #all: Diagnostic[] = []

  get all(): readonly Diagnostic[] {
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
