// Publishes the work of a task or a sandbox, or takes it away, for whoever may see it.

import type { ExportFormat, Place, Publish, Published } from '@switchyard/contracts'
import { SwitchyardError } from '@switchyard/contracts'
import { deleteUpload, findSandbox, type Records, readUploadPart } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import type { WorkerCalls } from '../calls/worker-calls.ts'
import { findOwnTask } from '../tasks/access.ts'
import { checkBranch } from '../tasks/branch.ts'
import { findOwnProject } from './access.ts'

/** A working directory as callers name it. */
export type NamedPlace = { readonly task: string } | { readonly project: string; readonly sandbox: string }

export class Publishing {
  readonly #records: Records
  readonly #calls: WorkerCalls

  constructor(records: Records, calls: WorkerCalls) {
    this.#records = records
    this.#calls = calls
  }

  async #placeOf(caller: Caller, named: NamedPlace): Promise<Place> {
    if ('task' in named) return { task_id: (await findOwnTask(this.#records, caller, named.task)).id }
    const { id } = await findOwnProject(this.#records, caller, named.project)
    const sandbox = await findSandbox(this.#records.db, id, named.sandbox)
    if (!sandbox) throw new SwitchyardError('sandbox_not_found', `there is no sandbox ${named.sandbox}`)
    return { project_id: id, sandbox: sandbox.name }
  }

  /**
   * @throws SwitchyardError `task_not_found`, `project_not_found`, `sandbox_not_found`, `invalid_branch`, `branch_diverged`,
   *   `push_rejected`, `repository_access_denied`, `not_supported` for a task without a project, …
   */
  async publish(caller: Caller, named: NamedPlace, input: Publish, signal?: AbortSignal): Promise<Published> {
    const place = await this.#placeOf(caller, named)
    if (input.branch !== undefined) checkBranch('branch', input.branch)
    return await this.#calls.call('work.publish', { ...input, place }, { signal })
  }

  /**
   * @returns its bytes; null where nothing was done
   * @throws SwitchyardError `task_not_found`, `project_not_found`, `sandbox_not_found`, `workspace_gone`, `payload_too_large`
   */
  async export(
    caller: Caller,
    named: NamedPlace,
    format: ExportFormat,
    signal?: AbortSignal,
  ): Promise<ReadableStream<Uint8Array> | null> {
    const place = await this.#placeOf(caller, named)
    const { upload_id: id } = await this.#calls.call('work.export', { place, format }, { signal })
    return id === null ? null : this.#stream(id)
  }

  #stream(id: string): ReadableStream<Uint8Array> {
    const { db } = this.#records
    let part = 0
    return new ReadableStream({
      async pull(controller) {
        const data = await readUploadPart(db, id, part)
        part += 1
        if (data) return controller.enqueue(data)
        controller.close()
        await deleteUpload(db, id)
      },
      // What a caller leaves behind is deleted as old.
      cancel: () => deleteUpload(db, id),
    })
  }
}
