// The deploy keys: one ed25519 pair a repository, or the user's own key by its path. Private halves never leave the
// directory; nothing here returns or logs one.
//
// In `<directory>/<slug>`: `id_ed25519` is the pair that was made last, `id_ed25519.former` the one before, which stays in
// use until the new one was seen to be accepted, and `adopted.json` names a key of the user's own.

import { randomUUID } from 'node:crypto'
import { chmod, link, lstat, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, isInside, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import { fingerprintOf, makeKeyPair, publicKeyOf } from './ssh-keygen.ts'

export type DeployKey = {
  /** For the forge: type, key and comment in one line. */
  readonly publicKey: string
  /** `SHA256:` and the hash. */
  readonly fingerprint: string
  /** Of the private half. */
  readonly path: string
  /** `adopted`: the user's own, which is used where it is. */
  readonly source: 'made' | 'adopted'
}

export type DeployKeysOptions = {
  /** For the worker alone: `keys` in SWITCHYARD_HOME. */
  readonly directory: string
  /** Runs `work` while nobody else holds the lock of that name, in any process. */
  readonly lock: <T>(name: string, work: () => Promise<T>) => Promise<T>
}

type Adopted = { readonly path: string; readonly isFormer: boolean }

const MADE = 'id_ed25519'
const FORMER = 'id_ed25519.former'
const ADOPTED = 'adopted.json'
const STAGING = '.new-'
const MAX_KEY_BYTES = 65_536

const isThere = async (place: string): Promise<boolean> => (await lstat(place).catch(() => undefined)) !== undefined

export class DeployKeys {
  readonly #options: DeployKeysOptions

  constructor(options: DeployKeysOptions) {
    this.#options = { ...options, directory: path.resolve(options.directory) }
  }

  #at(identity: RepositoryIdentity, ...names: string[]): string {
    return path.join(this.#options.directory, identity.slug, ...names)
  }

  /** Where what belongs to a repository's key is; it may not be there yet. */
  directoryOf(identity: RepositoryIdentity): string {
    return this.#at(identity)
  }

  /** The key of a repository, if it has one. @throws SwitchyardError `deploy_key_invalid` where the user's own is gone. */
  async find(identity: RepositoryIdentity): Promise<DeployKey | undefined> {
    const adopted = await this.#adopted(identity)
    if (adopted && !adopted.isFormer) return await describe(adopted.path, 'adopted')
    const place = this.#at(identity, MADE)
    return (await isThere(place)) ? await describe(place, 'made') : undefined
  }

  /**
   * The key of a repository; made where there is none. Safe to call twice at once.
   *
   * @throws SwitchyardError `deploy_key_invalid`, `directory_unwritable`, `disk_full`
   */
  async ensure(identity: RepositoryIdentity): Promise<DeployKey> {
    const found = await this.find(identity)
    if (found) return found
    const make = (place: string) => makeKeyPair(place, `switchyard:${identity.key}`)
    return await this.#alone(identity, async () => (await this.find(identity)) ?? (await this.#make(identity, make)))
  }

  /**
   * Makes a new key. The former one is tried as well until `settle` says that the new one was accepted.
   *
   * @throws SwitchyardError as `ensure`
   */
  async rotate(identity: RepositoryIdentity): Promise<DeployKey> {
    return await this.#succeed(identity, (place) => makeKeyPair(place, `switchyard:${identity.key}`))
  }

  /**
   * Takes a private key for the repository's own, such as one that its host knows already. The former one is tried as well until
   * `settle`.
   *
   * @param text - of the key's file
   * @throws SwitchyardError `deploy_key_invalid`, `directory_unwritable`, `disk_full`
   */
  async put(identity: RepositoryIdentity, text: string): Promise<DeployKey> {
    return await this.#succeed(identity, async (place) => {
      // ssh reads no key whose last line has no end.
      await writeFile(place, `${text.replaceAll('\r\n', '\n').trimEnd()}\n`, { mode: 0o600, flag: 'wx' })
      await writeFile(`${place}.pub`, `${await publicKeyOf(place, 'the key that was handed over')}\n`)
    })
  }

  async #succeed(identity: RepositoryIdentity, write: (place: string) => Promise<void>): Promise<DeployKey> {
    return await this.#alone(identity, async () => {
      const adopted = await this.#adopted(identity)
      const isMadeInUse = (await isThere(this.#at(identity, MADE))) && (adopted === undefined || adopted.isFormer)
      // One that was never seen to be accepted is not worth keeping over one that was.
      if (isMadeInUse)
        await link(this.#at(identity, MADE), this.#at(identity, FORMER)).catch((error: unknown) => {
          if (systemErrorCode(error) !== 'EEXIST') throw error
        })
      const made = await this.#make(identity, write)
      if (adopted && !adopted.isFormer) await this.#writeAdopted(identity, { ...adopted, isFormer: true })
      return made
    })
  }

  /**
   * Uses a key of the user's own, where it is. One that was in use before is tried as well until `settle`.
   *
   * For operators alone: whoever names a path uses that key.
   *
   * @param place - absolute path of the private key
   * @throws SwitchyardError `deploy_key_invalid`, saying what to do
   */
  async adopt(identity: RepositoryIdentity, place: string): Promise<DeployKey> {
    const key = await this.#inspect(place)
    await this.#alone(identity, () => this.#writeAdopted(identity, { path: key.path, isFormer: false }))
    return key
  }

  /** Forgets a repository's keys; the user's own file stays where it is. */
  async forget(identity: RepositoryIdentity): Promise<void> {
    await this.#alone(identity, () => rm(this.#at(identity), { recursive: true, force: true }))
  }

  /** The private keys to try, the newest first; empty where the repository has none. */
  async identityFiles(identity: RepositoryIdentity): Promise<readonly string[]> {
    const adopted = await this.#adopted(identity)
    const made: string[] = []
    for (const name of [MADE, FORMER]) if (await isThere(this.#at(identity, name))) made.push(this.#at(identity, name))
    if (adopted === undefined) return made
    return adopted.isFormer ? [...made, adopted.path] : [adopted.path, ...made]
  }

  /** The key was accepted: those before it are forgotten, unless another has taken its place meanwhile. */
  async settle(identity: RepositoryIdentity, fingerprint: string): Promise<void> {
    await this.#alone(identity, async () => {
      const current = await this.find(identity)
      if (current?.fingerprint !== fingerprint) return
      const former = current.source === 'adopted' ? [MADE, `${MADE}.pub`, FORMER] : [FORMER, ADOPTED]
      for (const name of former) await rm(this.#at(identity, name), { force: true })
    })
  }

  async #alone<T>(identity: RepositoryIdentity, work: () => Promise<T>): Promise<T> {
    return await this.#options.lock(`keys:${identity.key}`, work)
  }

  /** Has a pair written and puts it in place at once. Only under the lock. */
  async #make(identity: RepositoryIdentity, write: (place: string) => Promise<void>): Promise<DeployKey> {
    const home = this.#at(identity)
    try {
      await mkdir(home, { recursive: true, mode: 0o700 })
      await chmod(this.#options.directory, 0o700)
      await chmod(home, 0o700)
      for (const name of await readdir(home))
        if (name.startsWith(STAGING)) await rm(path.join(home, name), { recursive: true, force: true })
      const staging = path.join(home, `${STAGING}${randomUUID()}`)
      await mkdir(staging, { mode: 0o700 })
      const fresh = path.join(staging, MADE)
      await write(fresh)
      await chmod(fresh, 0o600)
      await rename(fresh, path.join(home, MADE))
      await rename(`${fresh}.pub`, path.join(home, `${MADE}.pub`))
      await rm(staging, { recursive: true, force: true })
    } catch (error) {
      throw fromFileError(error, home)
    }
    return await describe(path.join(home, MADE), 'made')
  }

  async #inspect(place: string): Promise<DeployKey> {
    const refuse = (why: string): never => {
      throw new SwitchyardError('deploy_key_invalid', `the key ${place} ${why}`)
    }
    // In a path ssh replaces `${NAME}`, and has no way to say that it should not.
    if (!path.isAbsolute(place) || /\p{Cc}|\$\{/u.test(place)) refuse('is not named by a plain absolute path')
    const real = await realpath(place).catch(() => refuse('is not there, or the worker may not look at it'))
    // What is in there belongs to another repository.
    const ours = await realpath(this.#options.directory).catch(() => this.#options.directory)
    if (isInside(ours, real)) refuse('is one that Switchyard made')
    const found = await stat(real)
    if (!found.isFile() || found.size > MAX_KEY_BYTES) refuse('is no file of a private key')
    if ((found.mode & 0o077) !== 0) refuse('may be read by others; chmod 600 it')
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

const describe = async (place: string, source: DeployKey['source']): Promise<DeployKey> => {
  const publicKey = await publicKeyOf(place)
  return { publicKey, fingerprint: fingerprintOf(publicKey), path: place, source }
}
