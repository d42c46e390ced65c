// Stores a request body in parts for a worker to fetch, so that neither process keeps all of it in memory.

import { randomUUID } from 'node:crypto'
import { SwitchyardError } from '@switchyard/contracts'
import { addUploadPart, deleteUpload, type Records } from '@switchyard/records'

const PART_BYTES = 1_048_576
const MAX_BYTES = 1_024 * 1_048_576

/**
 * Stores the body and returns the upload id.
 *
 * @throws SwitchyardError `payload_too_large` above 1 GiB; `invalid_bundle` if it is empty
 */
export const storeUpload = async (records: Records, body: ReadableStream<Uint8Array> | null): Promise<string> => {
  const id = `upload_${randomUUID()}`
  let buffered: Uint8Array[] = []
  let [bufferedBytes, total, part] = [0, 0, 0]
  const flush = async (): Promise<void> => {
    await addUploadPart(records.db, id, part, Buffer.concat(buffered))
    part += 1
    buffered = []
    bufferedBytes = 0
  }
  try {
    for await (const chunk of body ?? []) {
      total += chunk.byteLength
      if (total > MAX_BYTES)
        throw new SwitchyardError('payload_too_large', `the bundle is larger than ${MAX_BYTES} bytes`)
      buffered.push(chunk)
      bufferedBytes += chunk.byteLength
      if (bufferedBytes >= PART_BYTES) await flush()
    }
    if (bufferedBytes > 0) await flush()
    if (total === 0) throw new SwitchyardError('invalid_bundle', 'the body is empty')
    return id
  } catch (error) {
    await deleteUpload(records.db, id)
    throw error
  }
}
