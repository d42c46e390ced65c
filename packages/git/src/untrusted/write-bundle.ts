// Writes a bundle of a repository of our own: whole or not at all.

import { mkdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import type { GitOptions } from '../command/run.ts'
import type { OwnRepository } from './isolated-repository.ts'

/**
 * @param what - as `git bundle create` takes it; with `--stdin` the rest is `options.input`
 * @throws SwitchyardError `disk_full`, `directory_unwritable`, `call_timeout`, `repository_*` where objects are missing
 */
export const writeBundle = async (
  own: OwnRepository,
  file: string,
  what: readonly string[],
  options: GitOptions,
): Promise<void> => {
  const part = `${file}.part`
  try {
    await mkdir(path.dirname(file), { recursive: true })
    await own.git(['bundle', 'create', '--quiet', part, ...what], options)
    await rename(part, file)
  } catch (error) {
    throw fromFileError(error, file)
  }
}
