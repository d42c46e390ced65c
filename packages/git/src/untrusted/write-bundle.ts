// Writes a bundle from an isolated repository.

import { mkdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import type { GitOptions } from '../command/run.ts'
import type { IsolatedRepository } from './isolated-repository.ts'

/**
 * Writes a bundle. The file appears only when it is complete.
 *
 * @param revisions - as `git bundle create` accepts them; with `--stdin`, the rest is `options.input`
 * @throws SwitchyardError `disk_full`, `directory_unwritable`, `call_timeout`; `repository_*` when objects are
 *   missing
 */
export const writeBundle = async (
  isolated: IsolatedRepository,
  file: string,
  revisions: readonly string[],
  options: GitOptions,
): Promise<void> => {
  const part = `${file}.part`
  try {
    await mkdir(path.dirname(file), { recursive: true })
    await isolated.git(['bundle', 'create', '--quiet', part, ...revisions], options)
    await rename(part, file)
  } catch (error) {
    throw fromFileError(error, file)
  }
}
