// Names of branches, by git's own rules (git check-ref-format), before git is asked.

import { SwitchyardError } from '@switchyard/contracts'

const MAX_LENGTH = 250
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const FORBIDDEN = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\.lock(?:\/|$)|(?:^|\/)\.|\.$|\/$|^\/|^-|^@$/

/** True for a name that git accepts for a new branch. */
export const isValidBranch = (name: string): boolean =>
  name.length > 0 && name.length <= MAX_LENGTH && !FORBIDDEN.test(name) && name !== 'HEAD' && !name.startsWith('refs/')

/** True for what may name a commit: a branch, a tag, a hash. No range, no expression. */
export const isValidBase = (name: string): boolean =>
  name.length > 0 && name.length <= MAX_LENGTH && !FORBIDDEN.test(name)

/** @throws SwitchyardError `invalid_branch` */
export const requireBranch = (name: string): void => {
  if (!isValidBranch(name)) throw new SwitchyardError('invalid_branch', `"${name}" is not a name for a branch`)
}
