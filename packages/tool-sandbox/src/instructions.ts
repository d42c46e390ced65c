// Reads the instructions that a repository has for agents. OpenCode does not read them where a repository's configuration is off.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { isWithin, resolveLinks } from './paths.ts'

/** The first one that exists is read, as OpenCode does. */
const FILES = ['AGENTS.md', 'CLAUDE.md', 'CONTEXT.md']

/** Returns the text for the system prompt; undefined if the directory has no instructions. */
export const readInstructions = (directory: string): string | undefined => {
  for (const name of FILES) {
    const file = path.join(directory, name)
    const text = readInside(directory, file)
    if (text !== undefined) return text === '' ? undefined : `Instructions from: ${file}\n${text}`
  }
  return undefined
}

const readInside = (directory: string, file: string): string | undefined => {
  try {
    const real = resolveLinks(file)
    return isWithin(directory, real) ? readFileSync(real, 'utf8') : undefined
  } catch {
    return undefined
  }
}
