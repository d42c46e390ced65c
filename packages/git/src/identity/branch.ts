// Checks names of branches and commits by git's own rules (git check-ref-format), before git sees them.

import { SwitchyardError } from '@switchyard/contracts'

const MAX_LENGTH = 250
// biome-ignore lint/suspicious/noControlCharactersInRegex: names with control characters are refused
const FORBIDDEN = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\.lock(?:\/|$)|(?:^|\/)\.|\.$|\/$|^\/|^-|^@$/

/** Returns true when git accepts the name for a new branch. */
export const isValidBranch = (name: string): boolean =>
  name.length > 0 && name.length <= MAX_LENGTH && !FORBIDDEN.test(name) && name !== 'HEAD' && !name.startsWith('refs/')

/** Returns true when the name can be a branch, a tag or a commit hash. Ranges and expressions are refused. */
export const isValidBase = (name: string): boolean =>
  name.length > 0 && name.length <= MAX_LENGTH && !FORBIDDEN.test(name)

/** @throws SwitchyardError `invalid_branch` */
export const requireBranch = (name: string): void => {
  if (!isValidBranch(name)) throw new SwitchyardError('invalid_branch', `"${name}" is not a valid branch name`)
}
