// What every sandbox sees of the machine, read-only: programs, libraries and the few files of /etc that they need.

import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { isWithin } from './paths.ts'

/** Of the root directory. On most systems all but the first are links into it. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/opt', '/nix/store', '/gnu/store']

/** Files without secrets. What is not listed, such as /etc/shadow or the keys of a server, does not exist in a sandbox. */
const ETC = [
  'alternatives',
  'bash.bashrc',
  'ca-certificates',
  'ca-certificates.conf',
  'crypto-policies',
  'debian_version',
  'fonts',
  'gai.conf',
  'gitconfig',
  'group',
  'host.conf',
  'hosts',
  'inputrc',
  'java',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'locale.alias',
  'localtime',
  'login.defs',
  'magic',
  'mime.types',
  'networks',
  'nsswitch.conf',
  'os-release',
  'passwd',
  'perl',
  'pki',
  'profile',
  'profile.d',
  'protocols',
  'python3',
  'resolv.conf',
  'rpc',
  'services',
  'shells',
  'ssl/certs',
  'ssl/openssl.cnf',
  'static',
  'terminfo',
  'timezone',
  'xdg',
] as const

/** Beside a `bin` on PATH. Other siblings may have secrets: `~/.local/share` has OpenCode's own. */
const BESIDE_BIN = ['lib', 'lib64', 'libexec', 'include']

export type ToolchainOptions = {
  /** PATH of the commands. */
  readonly path: string
  /** More directories that commands may read. */
  readonly readOnly: readonly string[]
  /** Directories that commands may not see even if they lie in one that they may read. */
  readonly hidden: readonly string[]
}

/** Returns the arguments of bwrap that show the toolchain. */
export const toolchainArguments = ({ path: search, readOnly, hidden }: ToolchainOptions): readonly string[] => {
  const shown = SYSTEM.filter((directory) => existsSync(directory))
  const linked = shown.filter(isLink)
  const roots = shown.filter((directory) => !linked.includes(directory))
  const etc = ETC.map((name) => path.join('/etc', name)).filter((file) => existsSync(file))
  const more = [...toolDirectories(search), ...readOnly].filter(
    (directory) =>
      existsSync(directory) &&
      // What holds WORKSPACES_DIR or the whole machine is no toolchain; what lies in a hidden directory stays hidden.
      ![...roots, ...hidden].some((root) => isWithin(root, realpathSync(directory))) &&
      !hidden.some((root) => isWithin(realpathSync(directory), root)),
  )
  const mounted = [...new Set([...roots, ...etc, ...more])]
  return [
    ...mounted.flatMap((file) => ['--ro-bind', file, file]),
    ...linked.flatMap((link) => ['--symlink', readlinkSync(link), link]),
    ...hidden
      .filter((directory) => mounted.some((root) => isWithin(root, directory)) && existsSync(directory))
      .flatMap((directory) => ['--tmpfs', directory]),
  ]
}

const toolDirectories = (search: string): readonly string[] =>
  search
    .split(path.delimiter)
    .filter((directory) => path.isAbsolute(directory) && existsSync(directory))
    .flatMap((directory) => {
      // Its entries are links to the packages beside it.
      if (path.basename(directory) === '.bin') return [path.dirname(directory)]
      if (path.basename(directory) !== 'bin') return [directory]
      return [directory, ...BESIDE_BIN.map((name) => path.join(directory, '..', name))]
    })

const isLink = (file: string): boolean => lstatSync(file).isSymbolicLink()

/** Returns the directory without symbolic links, or as it is if it does not exist yet. */
export const realDirectory = (directory: string): string =>
  existsSync(directory) ? realpathSync(directory) : path.resolve(directory)
