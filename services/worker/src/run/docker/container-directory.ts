// The directory of a task in Docker mode, which is all of this machine that its containers mount.

import { chown, lstat, mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { IMAGE_UID } from '@switchyard/docker'
import { type ContainerDirectories, promptFile } from '@switchyard/workspace'

/**
 * Makes the container's user the owner of everything below `directory`. Symbolic links are skipped.
 */
const changeOwner = async (directory: string): Promise<void> => {
  await chown(directory, IMAGE_UID, IMAGE_UID)
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (!entry.isSymbolicLink()) await chown(path.join(entry.parentPath, entry.name), IMAGE_UID, IMAGE_UID)
}

export class ContainerDirectory {
  readonly #directories: ContainerDirectories

  constructor(directories: ContainerDirectories) {
    this.#directories = directories
  }

  get root(): string {
    return this.#directories.root
  }

  get home(): string {
    return this.#directories.home
  }

  /** Creates the empty directory, so that a container can mount it. */
  async create(): Promise<void> {
    await mkdir(this.root, { recursive: true })
  }

  /** Returns the path at which `writePrompt` stores a prompt. */
  promptFile(promptId: string): string {
    return promptFile(this.#directories, promptId)
  }

  /** Returns whether a prompt was written. Its container has run then, or was about to start. */
  async hasPrompt(promptId: string): Promise<boolean> {
    return (await lstat(this.promptFile(promptId)).catch(() => undefined)) !== undefined
  }

  /**
   * Creates the other directories and gives everything to the container's user. Call it when `work`
   * exists, before the first container starts.
   *
   * @throws the file system's own error
   */
  async prepare(): Promise<void> {
    for (const directory of [this.home, this.#directories.prompts]) await mkdir(directory, { recursive: true })
    if (process.getuid?.() !== 0) return
    await changeOwner(this.root)
  }

  /**
   * Writes a prompt for the container that will read it. An earlier agent could write here, so
   * anything that is not a directory or a regular file, such as a symbolic link, is rejected. No
   * agent is running now.
   *
   * @throws SwitchyardError `directory_unwritable`
   */
  async writePrompt(promptId: string, text: string): Promise<void> {
    const file = this.promptFile(promptId)
    for (const directory of [this.root, path.dirname(file)])
      if (!(await lstat(directory).catch(() => undefined))?.isDirectory())
        throw new SwitchyardError('directory_unwritable', `${directory} is not a directory any more`)
    const found = await lstat(file).catch(() => undefined)
    // An earlier owner of the task wrote it.
    if (found?.isFile()) return
    if (found) throw new SwitchyardError('directory_unwritable', `${file} is not a regular file`)
    await writeFile(file, text, { flag: 'wx', mode: 0o644 })
  }
}
