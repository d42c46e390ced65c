// A log file of bounded size.

import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import path from 'node:path'

const MAX_BYTES = 10_000_000

export type LogFile = {
  readonly file: string
  /** Appends text that ends with a newline. The write is synchronous, so the last lines of a process that dies are not lost. */
  write(text: string): void
  close(): void
}

/** Opens a log file to append to. At 10 MB it is renamed to `file.1`, which replaces the previous one. */
export const openLogFile = (file: string): LogFile => {
  mkdirSync(path.dirname(file), { recursive: true })
  let descriptor = openSync(file, 'a', 0o600)
  let size = fstatSync(descriptor).size
  let isOpen = true
  const rotate = () => {
    renameSync(file, `${file}.1`)
    closeSync(descriptor)
    descriptor = openSync(file, 'a', 0o600)
    size = 0
  }
  return {
    file,
    write(text) {
      if (!isOpen) return
      try {
        if (size > MAX_BYTES) rotate()
        size += writeSync(descriptor, text)
      } catch {
        // A full disk must not crash the process.
      }
    },
    close() {
      if (isOpen) closeSync(descriptor)
      isOpen = false
    },
  }
}
