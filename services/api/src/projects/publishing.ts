// Publishes the work of a task or a sandbox, or takes it away, for whoever may see it.

import type { ExportFormat, Place, Publish, Published } from '@switchyard/contracts'
import { SwitchyardError } from '@switchyard/contracts'
import { deleteUpload, findProject, type ProjectRow, type Records, readUploadPart } from '@switchyard/records'
import type { WorkerCalls } from '@switchyard/worker-calls'
import type { Caller } from '../access/caller.ts'
import { findSandboxOf, findUsableProject, mayUse, requireChange } from '../access/projects.ts'
import { findAccessibleTask } from '../access/tasks.ts'
import { checkBranch } from '../validation/branch.ts'

/** A working directory as callers name it. */
export type NamedPlace = { readonly task: string } | { readonly project: string; readonly sandbox: string }

type Found = { readonly place: Place; readonly project: ProjectRow | undefined }

/** @throws SwitchyardError `forbidden` */
const requirePush = (caller: Caller, project: ProjectRow, isForced: boolean): void => {
  // It goes out with the project's key, which outlives the task.
  if (!mayUse(caller, project))
    throw new SwitchyardError(
      'forbidden',
      `${project.url} is a project of another key, and not shared with you any more`,
      {
        hint: 'Take the task’s work away as a patch or a bundle, or ask the project’s owner to share it again.',
      },
    )
  if (isForced) requireChange(caller, project, 'replacing what was pushed (force)')
}

export class Publishing {
  readonly #records: Records
  readonly #calls: WorkerCalls

  constructor(records: Records, calls: WorkerCalls) {
    this.#records = records
    this.#calls = calls
  }

  async #find(caller: Caller, named: NamedPlace): Promise<Found> {
    if ('task' in named) {
      const { id, project_id: projectId } = await findAccessibleTask(this.#records, caller, named.task)
      const project = projectId === null ? undefined : await findProject(this.#records.db, projectId)
      return { place: { task_id: id }, project }
    }
    const project = await findUsableProject(this.#records, caller, named.project)
    const { sandbox } = await findSandboxOf(this.#records, caller, project, named.sandbox)
    return { place: { project_id: project.id, sandbox: sandbox.name }, project }
  }

  /**
   * @throws SwitchyardError `task_not_found`, `project_not_found`, `sandbox_not_found`, `forbidden` for `force` of another's project
   *   and for a task whose project is not the caller's to use any more, `invalid_branch`, `branch_diverged`, `push_rejected`,
   *   `repository_access_denied`, `not_supported` for a task without a project, …
   */
  async publish(caller: Caller, named: NamedPlace, input: Publish, signal?: AbortSignal): Promise<Published> {
    const { place, project } = await this.#find(caller, named)
    if (project) requirePush(caller, project, input.force ?? false)
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
    const { place } = await this.#find(caller, named)
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
