// Runs git inside a repository that an agent may have written to: what its configuration names is switched off.

import { rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type GitOptions, type GitOutput, git } from './run.ts'

/** Keys whose value is a command, or a place to send to. An empty value is no command. */
const COMMANDS =
  /^(?:filter\..*\.(?:clean|smudge|process|required)|diff\..*\.(?:command|textconv)|merge\..*\.driver|remote\..*\.(?:uploadpack|receivepack|proxy|vcs|url|pushurl)|url\..*\.(?:insteadof|pushinsteadof)|http\..*|credential\..*|core\.(?:sshcommand|gitproxy|askpass|editor|pager|fsmonitor|hookspath|alternaterefscommand|worktree|attributesfile|excludesfile)|sequence\.editor|gpg\..*|gpg\.program|uploadpack\.packobjectshook|trailer\..*\.command|mergetool\..*|difftool\..*|alias\..*|pager\..*|browser\..*|submodule\..*\.update)$/i

/** Reading the configuration executes nothing. Keys come in lower case but for the middle part, which is kept. */
const namesIn = async (directory: string, signal?: AbortSignal): Promise<readonly string[]> => {
  const { stdout } = await git(['config', '--local', '--includes', '--list', '--name-only', '-z'], {
    cwd: directory,
    okCodes: [0, 1],
    ...(signal ? { signal } : {}),
  })
  return stdout.toString('utf8').split('\0')
}

const valueFor = (name: string): string => {
  if (/^core\.(?:hookspath|attributesfile|excludesfile)$/i.test(name)) return '/dev/null'
  if (/^core\.fsmonitor$|^filter\..*\.required$/i.test(name)) return 'false'
  return ''
}

/** What a shared clone of ours may configure; agents set their name. */
const HARMLESS =
  /^(?:core\.(?:repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks)|remote\.origin\.(?:url|fetch)|user\.(?:name|email)|branch\..*\.(?:remote|merge|rebase)|)$/i

/**
 * Puts a shared clone's configuration back to ours where it holds anything else: some settings (`url.*.insteadOf`) cannot
 * be overridden, and would keep the clone from being brought up to date.
 */
export const repairConfiguration = async (
  directory: string,
  remoteUrl: string,
  signal?: AbortSignal,
): Promise<void> => {
  const names = await namesIn(directory, signal)
  if (names.every((name) => HARMLESS.test(name))) return
  const file = path.join(directory, '.git', 'config')
  const fresh = `${file}.switchyard`
  await rm(fresh, { recursive: true, force: true })
  await writeFile(
    fresh,
    '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n',
    { flag: 'wx' },
  )
  for (const [name, value] of originOf(remoteUrl)) await git(['config', '--file', fresh, name, value])
  await rename(fresh, file)
}

/** The settings of the remote in a shared clone, for people who look; ours name their URLs themselves. */
export const originOf = (remoteUrl: string): readonly (readonly [string, string])[] => [
  ['remote.origin.url', remoteUrl],
  ['remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'],
]

export type UntrustedGit = (args: readonly string[], options?: Omit<GitOptions, 'cwd'>) => Promise<GitOutput>

/**
 * `git` for one piece of work in a repository that is not trusted. What it configures under names of its own choice
 * (filters, diff and merge drivers) is overridden by name; the names are read once, here.
 */
export const openUntrusted = async (directory: string, signal?: AbortSignal): Promise<UntrustedGit> => {
  const names = (await namesIn(directory, signal)).filter((name) => COMMANDS.test(name))
  const off = [...new Set(names)]
    // A worktree or a URL cannot be switched off by an empty value; commands here never use those of the configuration.
    .filter((name) => !/^core\.worktree$|^remote\..*\.(?:url|pushurl)$/i.test(name) && !name.includes('='))
    .map((name) => `${name}=${valueFor(name)}`)
  return (args, options = {}) =>
    git(args, {
      ...(signal ? { signal } : {}),
      ...options,
      cwd: directory,
      config: [...off, ...(options.config ?? [])],
    })
}
