// Parses JSON that may be cut off or damaged, and reports which parts are incomplete.

import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'

export type ParsedJson = {
  /** The readable part. A value that was cut off in the middle is left out. */
  readonly value: unknown
  /** Why and where the text is invalid JSON; empty if it is valid. */
  readonly problems: readonly string[]
  /**
   * The paths (`projects/blog-api`) of incomplete objects and lists, and of everything that
   * contains them.
   */
  readonly partial: ReadonlySet<string>
}

const isClosed = (text: string, node: Node): boolean => '}]'.includes(text[node.offset + node.length - 1] ?? ' ')

class TreeReader {
  readonly partial = new Set<string>()
  readonly #text: string
  readonly #errors: readonly ParseError[]
  readonly #end: number

  constructor(text: string, errors: readonly ParseError[]) {
    this.#text = text
    this.#errors = errors
    this.#end = text.trimEnd().length
  }

  /**
   * Returns whether the rest of a value may be missing: a string with an error in it, or a number
   * at the end of the file.
   */
  #isCut(node: Node): boolean {
    const last = node.offset + node.length
    if (node.type === 'number' && last >= this.#end) return true
    return node.type === 'string' && this.#errors.some(({ offset }) => offset >= node.offset && offset < last)
  }

  read(node: Node, path: string): unknown {
    if (node.type !== 'object' && node.type !== 'array') return this.#isCut(node) ? undefined : node.value
    const last = node.offset + node.length
    if (!isClosed(this.#text, node) || this.#errors.some(({ offset }) => offset > node.offset && offset < last))
      this.partial.add(path)
    const children = node.children ?? []
    if (node.type === 'array') return children.map((child, at) => this.read(child, `${path}/${at}`))
    const value: Record<string, unknown> = {}
    for (const { children: [name, child] = [] } of children) {
      if (name === undefined || this.#isCut(name)) continue
      const key = String(name.value)
      // Assigning `__proto__` would set the prototype.
      if (key === '__proto__' || child === undefined) continue
      const read = this.read(child, path === '' ? key : `${path}/${key}`)
      if (read !== undefined) value[key] = read
    }
    return value
  }
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

/** Parses a text as far as it is readable. */
export const parseDamagedJson = (given: string): ParsedJson => {
  const text = given.replace(/^\uFEFF/, '')
  if (text.trim() === '') return { value: undefined, problems: ['is empty'], partial: new Set() }
  const errors: ParseError[] = []
  const tree = parseTree(text, errors, { allowTrailingComma: false, disallowComments: true })
  const [first] = errors
  const problems =
    first === undefined
      ? []
      : [
          first.offset + first.length >= text.trimEnd().length
            ? `is cut off in line ${lineOf(text, first.offset)}`
            : `is invalid JSON in line ${lineOf(text, first.offset)} (${printParseErrorCode(first.error)})`,
        ]
  if (tree === undefined) return { value: undefined, problems, partial: new Set() }
  const reader = new TreeReader(text, errors)
  return { value: reader.read(tree, ''), problems, partial: reader.partial }
}
