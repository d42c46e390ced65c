// `npm run settings`: writes .env.example and docs/configuration.md from the settings. With --check it fails when they differ.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { configurationPage, envExample } from '@switchyard/config'

const root = path.resolve(import.meta.dirname, '../..')

/** Formats Markdown as `npm run format` does, so that the file is the same after either. */
const formatted = (text: string): string => {
  const directory = mkdtempSync(path.join(tmpdir(), 'switchyard-settings-'))
  try {
    const file = path.join(directory, 'page.md')
    writeFileSync(file, text)
    execFileSync('biome', ['format', '--write', '--config-path', root, '--vcs-enabled=false', file], { stdio: 'pipe' })
    return readFileSync(file, 'utf8')
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const files: readonly (readonly [string, string])[] = [
  ['.env.example', envExample()],
  ['docs/configuration.md', formatted(configurationPage())],
]
const readIfPresent = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
for (const [name, text] of files) {
  const file = path.join(root, name)
  if (readIfPresent(file) === text) continue
  if (process.argv.includes('--check')) {
    process.stdout.write(`${name} does not match the settings; run npm run settings\n`)
    process.exitCode = 1
  } else {
    writeFileSync(file, text)
    process.stdout.write(`${name} written\n`)
  }
}
