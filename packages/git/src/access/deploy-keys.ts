// Stores the deploy keys: one ed25519 pair per repository, or the path of a key that the user provides. Private
// keys never leave the directory; nothing here returns or logs one.
//
// `<directory>/<slug>` contains `id_ed25519`, the pair that was generated or imported last;
// `id_ed25519.former`, the previous private key, which stays in use until the new one is accepted; and
// `adopted.json`, the path of a key that the user provides.

import { randomUUID } from 'node:crypto'
import { chmod, link, lstat, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, isInside, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import { createKeyPair, fingerprintOf, publicKeyOf } from './ssh-keygen.ts'

export type DeployKey = {
  /** Type, key and comment in one line, as forges accept it. */
  readonly publicKey: string
  /** `SHA256:` and the hash. */
  readonly fingerprint: string
  /** The path of the private key. */
  readonly path: string
  /** `stored`: generated or imported, in our directory. `adopted`: provided by the user, used where it is. */
  readonly source: 'stored' | 'adopted'
}

export type DeployKeysOptions = {
  /** A directory that only the worker can read: `keys` in SWITCHYARD_HOME. */
  readonly directory: string
  /** Runs `work` while no other process holds the lock of that name. */
  readonly lock: <T>(name: string, work: () => Promise<T>) => Promise<T>
}

type Adopted = { readonly path: string; readonly isFormer: boolean }

const CURRENT = 'id_ed25519'
const FORMER = 'id_ed25519.former'
const ADOPTED = 'adopted.json'
const STAGING = '.new-'
const MAX_KEY_BYTES = 65_536

const exists = async (file: string): Promise<boolean> => (await lstat(file).catch(() => undefined)) !== undefined

export class DeployKeys {
  readonly #options: DeployKeysOptions

  constructor(options: DeployKeysOptions) {
    this.#options = { ...options, directory: path.resolve(options.directory) }
  }

  #at(identity: RepositoryIdentity, ...names: string[]): string {
    return path.join(this.#options.directory, identity.slug, ...names)
  }

  /** Returns the directory for the keys of a repository. It may not exist yet. */
  directoryOf(identity: RepositoryIdentity): string {
    return this.#at(identity)
  }

  /**
   * Returns the key of a repository.
   *
   * @returns undefined when it has none
   * @throws SwitchyardError `deploy_key_invalid` when an adopted key was deleted or changed
   */
  async find(identity: RepositoryIdentity): Promise<DeployKey | undefined> {
    const adopted = await this.#adopted(identity)
    if (adopted && !adopted.isFormer) return await describe(adopted.path, 'adopted')
    const file = this.#at(identity, CURRENT)
    return (await exists(file)) ? await describe(file, 'stored') : undefined
  }

  /**
   * Returns the key of a repository, and generates one if it has no key. Concurrent calls return the same key.
   *
   * @throws SwitchyardError `deploy_key_invalid`, `directory_unwritable`, `disk_full`
   */
  async ensure(identity: RepositoryIdentity): Promise<DeployKey> {
    const found = await this.find(identity)
    if (found) return found
    const generate = (file: string) => createKeyPair(file, `switchyard:${identity.key}`)
    return await this.#alone(
      identity,
      async () => (await this.find(identity)) ?? (await this.#create(identity, generate)),
    )
  }

  /**
   * Generates a new key. The previous key stays in use until `confirmAccepted` is called for the new one.
   *
   * @throws SwitchyardError as `ensure`
   */
  async rotate(identity: RepositoryIdentity): Promise<DeployKey> {
    return await this.#replace(identity, (file) => createKeyPair(file, `switchyard:${identity.key}`))
  }

  /**
   * Stores a given private key as the key of a repository, such as one that its host already accepts. The
   * previous key stays in use until `confirmAccepted` is called for the new one.
   *
   * @param text - the content of the key file
   * @throws SwitchyardError `deploy_key_invalid`, `directory_unwritable`, `disk_full`
   */
  async put(identity: RepositoryIdentity, text: string): Promise<DeployKey> {
    return await this.#replace(identity, async (file) => {
      // ssh refuses a key file without a newline at its end.
      await writeFile(file, `${text.replaceAll('\r\n', '\n').trimEnd()}\n`, { mode: 0o600, flag: 'wx' })
      await writeFile(`${file}.pub`, `${await publicKeyOf(file, 'the given key')}\n`)
    })
  }

  async #replace(identity: RepositoryIdentity, write: (file: string) => Promise<void>): Promise<DeployKey> {
    return await this.#alone(identity, async () => {
      const adopted = await this.#adopted(identity)
      const isStoredInUse = (await exists(this.#at(identity, CURRENT))) && (adopted === undefined || adopted.isFormer)
      // An existing former key stays: it was accepted once, which is not known of the current one.
      if (isStoredInUse)
        await link(this.#at(identity, CURRENT), this.#at(identity, FORMER)).catch((error: unknown) => {
          if (systemErrorCode(error) !== 'EEXIST') throw error
        })
      const created = await this.#create(identity, write)
      if (adopted && !adopted.isFormer) await this.#writeAdopted(identity, { ...adopted, isFormer: true })
      return created
    })
  }

  /**
   * Uses a key file of the user without copying it. The previous key stays in use until `confirmAccepted` is
   * called for this one. Only operators may call this: the caller of a path gets the use of that key.
   *
   * @param file - the absolute path of the private key
   * @throws SwitchyardError `deploy_key_invalid`, with a message that says what to fix
   */
  async adopt(identity: RepositoryIdentity, file: string): Promise<DeployKey> {
    const key = await this.#inspect(file)
    await this.#alone(identity, () => this.#writeAdopted(identity, { path: key.path, isFormer: false }))
    return key
  }

  /** Removes the keys of a repository. An adopted key file stays. */
  async remove(identity: RepositoryIdentity): Promise<void> {
    await this.#alone(identity, () => rm(this.#at(identity), { recursive: true, force: true }))
  }

  /** Returns the paths of the private keys to try, newest first. */
  async identityFiles(identity: RepositoryIdentity): Promise<readonly string[]> {
    const adopted = await this.#adopted(identity)
    const stored: string[] = []
    for (const name of [CURRENT, FORMER])
      if (await exists(this.#at(identity, name))) stored.push(this.#at(identity, name))
    if (adopted === undefined) return stored
    return adopted.isFormer ? [...stored, adopted.path] : [adopted.path, ...stored]
  }

  /**
   * Removes the previous keys of a repository after its host accepted the current one.
   *
   * @param fingerprint - of the accepted key; nothing happens when it is no longer the current one
   */
  async confirmAccepted(identity: RepositoryIdentity, fingerprint: string): Promise<void> {
    await this.#alone(identity, async () => {
      const current = await this.find(identity)
      if (current?.fingerprint !== fingerprint) return
      const former = current.source === 'adopted' ? [CURRENT, `${CURRENT}.pub`, FORMER] : [FORMER, ADOPTED]
      for (const name of former) await rm(this.#at(identity, name), { force: true })
    })
  }

  async #alone<T>(identity: RepositoryIdentity, work: () => Promise<T>): Promise<T> {
    return await this.#options.lock(`keys:${identity.key}`, work)
  }

  /** Lets `write` create a key pair in a staging directory, then moves the pair into place. Requires the lock. */
  async #create(identity: RepositoryIdentity, write: (file: string) => Promise<void>): Promise<DeployKey> {
    const home = this.#at(identity)
    try {
      await mkdir(home, { recursive: true, mode: 0o700 })
      await chmod(this.#options.directory, 0o700)
      await chmod(home, 0o700)
      for (const name of await readdir(home))
        if (name.startsWith(STAGING)) await rm(path.join(home, name), { recursive: true, force: true })
      const staging = path.join(home, `${STAGING}${randomUUID()}`)
      await mkdir(staging, { mode: 0o700 })
      const fresh = path.join(staging, CURRENT)
      await write(fresh)
      await chmod(fresh, 0o600)
      await rename(fresh, path.join(home, CURRENT))
      await rename(`${fresh}.pub`, path.join(home, `${CURRENT}.pub`))
      await rm(staging, { recursive: true, force: true })
    } catch (error) {
      throw fromFileError(error, home)
    }
    return await describe(path.join(home, CURRENT), 'stored')
  }

  async #inspect(file: string): Promise<DeployKey> {
    const refuse = (why: string): never => {
      throw new SwitchyardError('deploy_key_invalid', `the key ${file} ${why}`)
    }
    // ssh expands `${NAME}` in a path, and offers no way to escape it.
    if (!path.isAbsolute(file) || /\p{Cc}|\$\{/u.test(file)) refuse('must be given by a plain absolute path')
    const real = await realpath(file).catch(() => refuse('does not exist, or the worker cannot read it'))
    // Keys in our directory belong to other repositories.
    const ours = await realpath(this.#options.directory).catch(() => this.#options.directory)
    if (isInside(ours, real)) refuse("is one of Switchyard's own deploy keys")
    const found = await stat(real)
    if (!found.isFile() || found.size > MAX_KEY_BYTES) refuse('is not a private key file')
    if ((found.mode & 0o077) !== 0) refuse('is readable by other users; run chmod 600 on it')
    return await describe(real, 'adopted')
  }

  async #adopted(identity: RepositoryIdentity): Promise<Adopted | undefined> {
    const text = await readFile(this.#at(identity, ADOPTED), 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('path' in value) || typeof value.path !== 'string')
      return undefined
    return { path: value.path, isFormer: 'isFormer' in value && value.isFormer === true }
  }

  async #writeAdopted(identity: RepositoryIdentity, adopted: Adopted): Promise<void> {
    const file = this.#at(identity, ADOPTED)
    const fresh = `${file}${STAGING}${randomUUID()}`
    try {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
      await writeFile(fresh, JSON.stringify(adopted), { mode: 0o600, flag: 'wx' })
      await rename(fresh, file)
    } catch (error) {
      throw fromFileError(error, file)
    }
  }
}

const describe = async (file: string, source: DeployKey['source']): Promise<DeployKey> => {
  const publicKey = await publicKeyOf(file)
  return { publicKey, fingerprint: fingerprintOf(publicKey), path: file, source }
}
