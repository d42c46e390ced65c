// OpenCode's placeholders in configuration files: `{env:NAME}` and `{file:path}`.

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'

const VARIABLE = /\{env:([^}]+)\}/g
const FILE = /\{file:([^}]+)\}/g

/**
 * Replaces the placeholders in the text of a configuration, as OpenCode does. A variable that is not set and a file that
 * cannot be read become empty.
 *
 * @param directory - the base of relative file names.
 */
export const substitute = async (
  text: string,
  env: Readonly<Record<string, string>>,
  directory: string,
): Promise<string> => {
  const withVariables = text.replace(VARIABLE, (_whole, name: string) => escaped(env[name] ?? ''))
  const files = new Map<string, string>()
  for (const [, name] of withVariables.matchAll(FILE)) {
    if (name === undefined) continue
    const file = name.startsWith('~/') ? path.join(homedir(), name.slice(2)) : path.resolve(directory, name)
    files.set(name, await readFile(file, 'utf8').catch(() => ''))
  }
  return withVariables.replace(FILE, (_whole, name: string) => escaped((files.get(name) ?? '').trim()))
}

/** Returns the variables that a part of a configuration refers to. */
export const referencedVariables = (part: unknown): readonly string[] =>
  [...JSON.stringify(part ?? null).matchAll(VARIABLE)].flatMap(([, name]) => (name === undefined ? [] : [name]))

const escaped = (value: string): string => JSON.stringify(value).slice(1, -1)
