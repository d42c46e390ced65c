// Reads JSON that may be cut off or damaged, and says which parts of it can be relied on.

import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'

export type Damaged = {
  /** What could be read; a value that was cut off in the middle is left out. */
  readonly value: unknown
  /** Why it is no JSON, and where; empty for a file that is whole. */
  readonly problems: readonly string[]
  /** Paths (`projects/blog-api`) of objects and lists that are not whole, with everything above them. */
  readonly partial: ReadonlySet<string>
}

const isClosed = (text: string, node: Node): boolean => '}]'.includes(text[node.offset + node.length - 1] ?? ' ')

class Reader {
  readonly partial = new Set<string>()
  readonly #text: string
  readonly #errors: readonly ParseError[]
  readonly #end: number

  constructor(text: string, errors: readonly ParseError[]) {
    this.#text = text
    this.#errors = errors
    this.#end = text.trimEnd().length
  }

  /** A string with an error in it, and a number that the file ends in: the rest of it may be missing. */
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
      // A plain assignment would set the prototype.
      if (key === '__proto__' || child === undefined) continue
      const read = this.read(child, path === '' ? key : `${path}/${key}`)
      if (read !== undefined) value[key] = read
    }
    return value
  }
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

export const readDamaged = (given: string): Damaged => {
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
            : `is no valid JSON in line ${lineOf(text, first.offset)} (${printParseErrorCode(first.error)})`,
        ]
  if (tree === undefined) return { value: undefined, problems, partial: new Set() }
  const reader = new Reader(text, errors)
  return { value: reader.read(tree, ''), problems, partial: reader.partial }
}
