// Finds the npm packages that the configuration of a repository names as plugins. OpenCode 1.18 installs and imports them even
// where OPENCODE_DISABLE_PROJECT_CONFIG is set.

import { readFileSync } from 'node:fs'
import path from 'node:path'

const FILES = ['opencode.json', 'opencode.jsonc', '.opencode/opencode.json', '.opencode/opencode.jsonc']

/** A string, a comment, or a comma before a closing bracket. */
const TOKENS = /("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\/|,(?=\s*(?:(?:\/\/[^\n]*|\/\*[\s\S]*?\*\/)\s*)*[}\]])/g

/**
 * Returns the directories from which OpenCode would import plugins of a repository.
 *
 * @param packages - where OpenCode installs packages, one directory per name
 */
export const repositoryPlugins = (directory: string, packages: string): readonly string[] =>
  FILES.flatMap((name) => {
    const text = read(path.join(directory, name))
    const names = text === undefined ? [] : pluginNames(text)
    // If the file cannot be understood, no package is imported at all.
    return names === undefined ? [packages] : names.map((one) => path.join(packages, one))
  })

const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** @returns undefined when the text is not JSON, with or without comments */
const pluginNames = (text: string): readonly string[] | undefined => {
  try {
    const config: unknown = JSON.parse(text.replace(TOKENS, (_token, string?: string) => string ?? ''))
    if (typeof config !== 'object' || config === null) return []
    return ['plugin', 'plugins'].flatMap((key) => listOf(Reflect.get(config, key)).flatMap(nameOf))
  } catch {
    return undefined
  }
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** An entry is a name, a name with options, or an object with a name. */
const nameOf = (entry: unknown): readonly string[] => {
  if (typeof entry === 'string') return [entry]
  if (Array.isArray(entry)) return entry.slice(0, 1).flatMap(nameOf)
  if (typeof entry === 'object' && entry !== null) return nameOf(Reflect.get(entry, 'package'))
  return []
}
