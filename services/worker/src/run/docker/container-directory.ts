// The directory of a task in Docker mode, which is all that its containers see of this machine:
//
//   work/     the repository
//   home/     OpenCode's data: the next container of the task goes on with the same session
//   prompts/  what each container is asked, by the prompt's id

import { chown, lstat, mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { IMAGE_UID } from '@switchyard/docker'
import { type ContainerDirectories, promptFile } from '@switchyard/workspace'

/** Links are given away themselves, never what they point to. */
const giveAway = async (directory: string): Promise<void> => {
  await chown(directory, IMAGE_UID, IMAGE_UID)
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const place = path.join(entry.parentPath, entry.name)
    if (!entry.isSymbolicLink()) await chown(place, IMAGE_UID, IMAGE_UID)
  }
}

export class Place {
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

  /** The directory alone: a container that is made ahead mounts it. */
  async make(): Promise<void> {
    await mkdir(this.root, { recursive: true })
  }

  /** Where `writePrompt` puts a prompt. */
  promptFile(promptId: string): string {
    return promptFile(this.#directories, promptId)
  }

  /** Whether the prompt was left for a container, which has run then or was about to. */
  async hasPrompt(promptId: string): Promise<boolean> {
    return (await lstat(this.promptFile(promptId)).catch(() => undefined)) !== undefined
  }

  /**
   * To be called once `work` is there, before the first container: gives all of it to the container's user.
   *
   * @throws the file system's own error
   */
  async prepare(): Promise<void> {
    for (const directory of [this.home, this.#directories.prompts]) await mkdir(directory, { recursive: true })
    if (process.getuid?.() !== 0) return
    await giveAway(this.root)
  }

  /**
   * Leaves a prompt for the container that is to read it. An agent could write here before, and none does now: what has become
   * a link meanwhile is refused.
   *
   * @throws SwitchyardError `directory_unwritable`
   */
  async writePrompt(promptId: string, text: string): Promise<void> {
    const file = this.promptFile(promptId)
    for (const directory of [this.root, path.dirname(file)])
      if (!(await lstat(directory).catch(() => undefined))?.isDirectory())
        throw new SwitchyardError('directory_unwritable', `${directory} is no directory any more`)
    const found = await lstat(file).catch(() => undefined)
    // Written by an owner before us.
    if (found?.isFile()) return
    if (found) throw new SwitchyardError('directory_unwritable', `${file} is no file`)
    await writeFile(file, text, { flag: 'wx', mode: 0o644 })
  }
}
