// Opens and updates what the worker stores of a repository: the private mirror, the object store that tasks' clones borrow
// from, and the shared clone of the project's own checkouts.

import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { isInside, isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import { type Connect, type Connection, networkEnvironment } from '../access/connection.ts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import { BranchRegistry } from './branch-registry.ts'
import { Mirror } from './mirror.ts'
import { mirrorDirectory } from './mirror-url.ts'
import { ObjectStore } from './object-store.ts'
import { SharedClone } from './shared-clone.ts'
import { SharedFetches } from './shared-fetches.ts'

export type ClonesOptions = {
  /** Contains the mirrors and the records of worktrees. Only the worker can read it. */
  readonly mirrorsDir: string
  /** Contains the shared clones. Agents read and write here. */
  readonly sharedDir: string
  /** Contains the object stores. Agents only need to read here. */
  readonly objectStoresDir: string
  /** Contains the worktrees, if they have a common parent. No local repository in it can be used as a project. */
  readonly workspacesDir?: string
  /** Runs `work` while no other process holds the lock of that name. */
  readonly lock: <T>(name: string, work: () => Promise<T>) => Promise<T>
  /** How to reach a repository, such as `RepositoryAccess.connect`; default: as the user's own git and ssh do. */
  readonly connect?: Connect
  /** For the default of `connect`: the environment whose network variables git and ssh get. */
  readonly environment?: Readonly<Record<string, string>>
  /** For the default of `connect`: GIT_SSH_COMMAND; default: the user's own ssh, without prompts. */
  readonly sshCommand?: string
  /** Limit of a clone or a fetch, ms; default 10 minutes. */
  readonly fetchTimeoutMs?: number
}

const FETCH_TIMEOUT_MS = 10 * 60_000

export class Clones {
  readonly #options: ClonesOptions
  readonly #connect: Connect
  readonly #fetches = new SharedFetches()

  constructor(options: ClonesOptions) {
    this.#options = options
    const env = {
      ...networkEnvironment(options.environment ?? {}),
      ...(options.sshCommand === undefined ? {} : { GIT_SSH_COMMAND: options.sshCommand }),
    }
    this.#connect = options.connect ?? (async ({ fetchUrl }) => ({ url: fetchUrl, env, config: [] }))
  }

  get mirrorsDir(): string {
    return this.#options.mirrorsDir
  }

  get lock(): ClonesOptions['lock'] {
    return this.#options.lock
  }

  async connection(identity: RepositoryIdentity): Promise<Connection> {
    return await this.#connect(identity)
  }

  mirror(identity: RepositoryIdentity): Mirror {
    return new Mirror(
      mirrorDirectory(this.#options.mirrorsDir, identity),
      identity,
      this.#connect,
      this.#options.fetchTimeoutMs ?? FETCH_TIMEOUT_MS,
    )
  }

  shared(identity: RepositoryIdentity): SharedClone {
    const directory = path.join(this.#options.sharedDir, identity.slug)
    return new SharedClone(directory, this.mirror(identity).directory, identity.displayUrl)
  }

  objectStore(identity: RepositoryIdentity): ObjectStore {
    return new ObjectStore({
      objectDirectory: path.join(this.#options.objectStoresDir, identity.slug),
      gitDirectory: path.join(this.#options.mirrorsDir, `${identity.slug}.store`),
      mirror: this.mirror(identity).directory,
    })
  }

  registry(identity: RepositoryIdentity): BranchRegistry {
    return new BranchRegistry(this.mirror(identity))
  }

  /** Updates the mirror, the store, and the shared clone if there is one; see `Repositories.fetch`. */
  async fetch(
    identity: RepositoryIdentity,
    basesInUse: () => Promise<readonly string[]>,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await this.#refuseOwnDirectories(identity)
    await this.#fetches.share(identity.key, signal, async (shared) => {
      await this.lock(`mirror:${identity.key}`, () => this.mirror(identity).update(shared))
      await Promise.all([
        this.lock(`objects:${identity.key}`, () => this.objectStore(identity).update(basesInUse, shared)),
        this.#updateSharedClone(identity, shared),
      ])
    })
  }

  /** A shared clone that an agent damaged does not stop tasks, which do not use it. */
  async #updateSharedClone(identity: RepositoryIdentity, signal: AbortSignal): Promise<void> {
    const clone = this.shared(identity)
    if (!clone.exists) return
    await this.lock(`shared:${identity.key}`, () => clone.update(signal)).catch((error: unknown) => {
      if (!isSwitchyardError(error, 'repository_unavailable')) throw error
    })
  }

  /** Refuses local paths in our directories: a project with such a path would reveal another project. */
  async #refuseOwnDirectories(identity: RepositoryIdentity): Promise<void> {
    if (identity.kind !== 'path') return
    const { mirrorsDir, sharedDir, objectStoresDir, workspacesDir } = this.#options
    const real = async (directory: string) => await realpath(directory).catch(() => path.resolve(directory))
    const source = await real(identity.fetchUrl)
    for (const ours of [
      mirrorsDir,
      sharedDir,
      objectStoresDir,
      ...(workspacesDir === undefined ? [] : [workspacesDir]),
    ])
      if (isInside(await real(ours), source))
        throw new SwitchyardError('invalid_project', `${identity.displayUrl} is inside a directory of Switchyard`, {
          hint: 'Name the project that the directory belongs to, or move your own repository out of WORKSPACES_DIR.',
        })
  }
}
