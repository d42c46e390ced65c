// Sets the password of a project's dedicated server. It is sealed: only a worker can read it.

import { SwitchyardError } from '@switchyard/contracts'
import { type ProjectRow, type Records, requestOfServer } from '@switchyard/records'
import type { WorkerCalls } from '@switchyard/worker-calls'
import type { Caller } from '../access/caller.ts'
import { findUsableProject } from '../access/projects.ts'

export class ServerPasswords {
  readonly #records: Records
  readonly #calls: WorkerCalls

  constructor(records: Records, calls: WorkerCalls) {
    this.#records = records
    this.#calls = calls
  }

  /**
   * Returns a public key to seal one password with.
   *
   * @throws SwitchyardError `project_not_found`, `control_not_possible`, `not_supported`, `worker_unavailable`
   */
  async createKey(caller: Caller, project: string): Promise<{ readonly public_key: string }> {
    const row = await this.#findDedicated(caller, project)
    return await this.#calls.call('server.offer_key', { project_id: row.id }, { target: row.pool })
  }

  /** Sets the password and restarts the server to apply it. @throws SwitchyardError as `createKey`; `invalid_request` */
  async set(caller: Caller, project: string, sealed: string): Promise<void> {
    const row = await this.#findDedicated(caller, project)
    await this.#calls.call('server.take_password', { project_id: row.id, sealed }, { target: row.pool })
    await requestOfServer(this.#records.db, row.id, 'restart')
  }

  async #findDedicated(caller: Caller, project: string): Promise<ProjectRow> {
    const row = await findUsableProject(this.#records, caller, project)
    if (row.isolation === 'dedicated') return row
    throw new SwitchyardError('control_not_possible', `${row.url} has no dedicated server`, {
      hint: 'Call opencode_project_start with isolation "dedicated" first.',
    })
  }
}
