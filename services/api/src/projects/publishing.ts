// Publishes and exports the work of tasks and sandboxes.

import type { ExportFormat, Publish, Published, WorkLocation } from '@switchyard/contracts'
import { SwitchyardError } from '@switchyard/contracts'
import { deleteUpload, findProject, type ProjectRow, type Records, readUploadPart } from '@switchyard/records'
import type { WorkerCalls } from '@switchyard/worker-calls'
import type { Caller } from '../access/caller.ts'
import { findSandboxOf, findUsableProject, mayUse, requireChange } from '../access/projects.ts'
import { findAccessibleTask } from '../access/tasks.ts'
import { checkBranch } from '../validation/branch.ts'

/** A task or a sandbox, as the caller names it. */
export type NamedWork = { readonly task: string } | { readonly project: string; readonly sandbox: string }

type FoundWork = { readonly place: WorkLocation; readonly project: ProjectRow | undefined }

/**
 * Checks that the caller may still use the project: a push uses its deploy key, and access can end after the task started.
 *
 * @throws SwitchyardError `forbidden`
 */
const requirePush = (caller: Caller, project: ProjectRow, isForced: boolean): void => {
  if (!mayUse(caller, project))
    throw new SwitchyardError('forbidden', `${project.url} belongs to another key and is no longer shared with you`, {
      hint: 'Export the work as a patch or bundle, or ask the project owner to share the project again.',
    })
  if (isForced) requireChange(caller, project, 'a forced push')
}

export class Publishing {
  readonly #records: Records
  readonly #calls: WorkerCalls

  constructor(records: Records, calls: WorkerCalls) {
    this.#records = records
    this.#calls = calls
  }

  async #find(caller: Caller, named: NamedWork): Promise<FoundWork> {
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
   * Commits and pushes the work through a worker.
   *
   * @throws SwitchyardError `task_not_found`, `project_not_found`, `sandbox_not_found`, `invalid_branch`, `branch_diverged`,
   *   `push_rejected`, `repository_access_denied`; `forbidden` if the caller may not use the project any more, or may not
   *   force a push to it; `not_supported` for a task without a project
   */
  async publish(caller: Caller, named: NamedWork, input: Publish, signal?: AbortSignal): Promise<Published> {
    const { place, project } = await this.#find(caller, named)
    if (project) requirePush(caller, project, input.force ?? false)
    if (input.branch !== undefined) checkBranch('branch', input.branch)
    return await this.#calls.call('work.publish', { ...input, place }, { signal })
  }

  /**
   * Returns the work as a patch or bundle; null if there are no changes.
   *
   * @throws SwitchyardError `task_not_found`, `project_not_found`, `sandbox_not_found`, `workspace_gone`, `payload_too_large`
   */
  async export(
    caller: Caller,
    named: NamedWork,
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
      // If this fails, the retention job deletes the upload.
      cancel: () => deleteUpload(db, id),
    })
  }
}
