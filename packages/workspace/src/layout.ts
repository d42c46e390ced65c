// Where every directory lies. This is the only module that joins a name to WORKSPACES_DIR or to the worker's home.
//
// WORKSPACES_DIR: agents write here, and OpenCode and the task containers mount it.
//   <name>/                 base checkout of a managed project
//   repos/<slug>/           shared clone of a project's base checkout and sandboxes (packages/git)
//   objects/<slug>/    objects that the clones of tasks borrow; agents only read here
//   tasks/<task id>/        clone or scratch repository of a task
//   sandboxes/<slug>/<name>/
//   docker/<task id>/       all that the container of a task mounts: work/, home/, prompts/
//   servers/                reserved
//
// Home of the worker (SWITCHYARD_HOME): no agent reaches it.
//   mirrors/                <slug>.git, <slug>.objects/, <slug>.worktrees/ and <slug>.indexes/ per repository (packages/git)
//   keys/  known_hosts      deploy keys; host keys of git servers
//   bundles/                work that was saved before its directory was removed; uploads and exports in transit
//   output/<task id>/       output of a task's containers, one <prompt id>.jsonl each
//   servers/<project id>/   state of a project's own OpenCode server
//   opencode/               state of the OpenCode server that `npm start` runs
//   tool-sandboxes/         HOME and /tmp of the commands in each working directory

import path from 'node:path'
import { isBelow } from '@switchyard/contracts'

/** Names under WORKSPACES_DIR that are never the base checkout of a project. */
const RESERVED: ReadonlySet<string> = new Set(['repos', 'objects', 'tasks', 'sandboxes', 'docker', 'servers'])

/** The directories that the containers of one task mount. */
export type ContainerDirectories = {
  readonly root: string
  /** The repository. */
  readonly work: string
  /** OpenCode's data: the next container of the task continues the same session. */
  readonly home: string
  readonly prompts: string
}

/** Returns the directories of a task in Docker mode. */
export const containerDirectories = (workspacesDir: string, taskId: string): ContainerDirectories => {
  const root = path.join(workspacesDir, 'docker', taskId)
  return {
    root,
    work: path.join(root, 'work'),
    home: path.join(root, 'home'),
    prompts: path.join(root, 'prompts'),
  }
}

/** Returns where the containers of a task read the text of one prompt. */
export const promptFile = ({ prompts }: ContainerDirectories, promptId: string): string =>
  path.join(prompts, `${promptId}.txt`)

export type LayoutOptions = {
  /** SWITCHYARD_HOME of the worker, absolute. */
  readonly home: string
  /** WORKSPACES_DIR, absolute. */
  readonly workspacesDir: string
}

/** Paths only: nothing here reads or writes the disk. */
export class Layout {
  /** WORKSPACES_DIR. */
  readonly workspaces: string
  readonly #home: string

  constructor({ home, workspacesDir }: LayoutOptions) {
    this.workspaces = workspacesDir
    this.#home = home
  }

  get sharedClones(): string {
    return path.join(this.workspaces, 'repos')
  }

  get objectStores(): string {
    return path.join(this.workspaces, 'objects')
  }

  get tasks(): string {
    return path.join(this.workspaces, 'tasks')
  }

  /** Returns the directory that a task works in, unless it works in a sandbox. */
  task({ id, mode }: { readonly id: string; readonly mode: 'opencode' | 'docker' }): string {
    return mode === 'docker' ? this.container(id).work : path.join(this.tasks, id)
  }

  container(taskId: string): ContainerDirectories {
    return containerDirectories(this.workspaces, taskId)
  }

  /** Returns the directory whose entries are the sandboxes of a repository. */
  sandboxes({ slug }: { readonly slug: string }): string {
    return path.join(this.workspaces, 'sandboxes', slug)
  }

  /**
   * Returns the directories that the base checkout of a managed project can have, the first choice first.
   *
   * @param name - `<owner>-<repo>`
   * @param repository.slug - the name followed by a hash, unique per repository
   */
  baseDirectories(name: string, { slug }: { readonly slug: string }): readonly string[] {
    return [name, slug].filter((one) => !RESERVED.has(one)).map((one) => path.join(this.workspaces, one))
  }

  /** Whether a path is below WORKSPACES_DIR. */
  contains(directory: string): boolean {
    return isBelow(this.workspaces, directory)
  }

  /** Whether a path is in one of the directories of WORKSPACES_DIR where no project has its base checkout. */
  isReserved(directory: string): boolean {
    return RESERVED.has(path.relative(this.workspaces, directory).split(path.sep)[0] ?? '')
  }

  get mirrors(): string {
    return path.join(this.#home, 'mirrors')
  }

  get keys(): string {
    return path.join(this.#home, 'keys')
  }

  get knownHosts(): string {
    return path.join(this.#home, 'known_hosts')
  }

  /** Returns where the state of projects' own OpenCode servers lies. */
  get servers(): string {
    return path.join(this.#home, 'servers')
  }

  /** Returns where the OpenCode server that runs as a child process keeps its state. */
  get opencode(): string {
    return path.join(this.#home, 'opencode')
  }

  /** Returns where the commands in each working directory have their HOME and /tmp. */
  get toolSandboxes(): string {
    return path.join(this.#home, 'tool-sandboxes')
  }

  /** @param name - the file's name with its extension */
  bundle(name: string): string {
    return path.join(this.#home, 'bundles', name)
  }

  /** Returns where the output of a task's containers is stored. */
  output(taskId: string): string {
    return path.join(this.#home, 'output', taskId)
  }
}
