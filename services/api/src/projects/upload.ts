// Takes a body in, part by part, for a worker to fetch: neither holds all of it in memory.

import { randomUUID } from 'node:crypto'
import { SwitchyardError } from '@switchyard/contracts'
import { addUploadPart, deleteUpload, type Records } from '@switchyard/records'

const PART_BYTES = 1_048_576
/** More than that is no work of anybody's hands. */
const MAX_BYTES = 1_024 * 1_048_576

/** @throws SwitchyardError `payload_too_large` over 1 GiB, `invalid_bundle` where it is empty */
export const storeUpload = async (records: Records, body: ReadableStream<Uint8Array> | null): Promise<string> => {
  const id = `upload_${randomUUID()}`
  let held: Uint8Array[] = []
  let [heldBytes, total, part] = [0, 0, 0]
  const flush = async (): Promise<void> => {
    await addUploadPart(records.db, id, part, Buffer.concat(held))
    part += 1
    held = []
    heldBytes = 0
  }
  try {
    for await (const chunk of body ?? []) {
      total += chunk.byteLength
      if (total > MAX_BYTES)
        throw new SwitchyardError('payload_too_large', `the bundle is larger than ${MAX_BYTES} bytes`)
      held.push(chunk)
      heldBytes += chunk.byteLength
      if (heldBytes >= PART_BYTES) await flush()
    }
    if (heldBytes > 0) await flush()
    if (total === 0) throw new SwitchyardError('invalid_bundle', 'the body is empty')
    return id
  } catch (error) {
    await deleteUpload(records.db, id)
    throw error
  }
}
