// Puts an uploaded bundle's commits and changes into a sandbox that is new.

import { mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { type CallArgs, type CallResult, SwitchyardError } from '@switchyard/contracts'
import { deleteUpload, markSandboxReady, readUploadPart } from '@switchyard/records'
import { alone, type ProjectDeps, readReady } from './deps.ts'
import { findRow } from './sandbox-changes.ts'

/** @throws SwitchyardError `invalid_bundle` when the upload no longer exists */
const receive = async (deps: ProjectDeps, uploadId: string, file: string, signal: AbortSignal): Promise<void> => {
  await mkdir(path.dirname(file), { recursive: true })
  const target = await open(file, 'w', 0o600)
  try {
    for (let part = 0; ; part += 1) {
      signal.throwIfAborted()
      const data = await readUploadPart(deps.records.db, uploadId, part)
      if (data === undefined && part === 0) throw new SwitchyardError('invalid_bundle', 'the upload is empty or gone')
      if (data === undefined) return
      await target.write(data)
    }
  } finally {
    await target.close()
  }
}

/**
 * Safe to repeat with the same bundle.
 *
 * @throws SwitchyardError `sandbox_not_found`, `project_not_ready`, `invalid_bundle`, `bundle_incomplete`, `worktree_has_work`
 */
export const importIntoSandbox = async (
  deps: ProjectDeps,
  { project_id: projectId, name, upload_id: uploadId }: CallArgs<'sandbox.import'>,
  signal: AbortSignal,
): Promise<CallResult<'sandbox.import'>> =>
  await alone(deps, projectId, async () => {
    const file = deps.layout.bundle(`${uploadId}.upload`)
    try {
      const { identity } = await readReady(deps, projectId)
      const row = await findRow(deps, projectId, name)
      await receive(deps, uploadId, file, signal)
      const { branch, head, baseCommit, changed } = await deps.repositories.work.importBundle(identity, row.path, file)
      await markSandboxReady(deps.records.db, projectId, name, baseCommit)
      return { name, branch, head, changed }
    } finally {
      await rm(file, { force: true })
      // A worker that stops leaves the import to the next one.
      if (!signal.aborted) await deleteUpload(deps.records.db, uploadId)
    }
  })
