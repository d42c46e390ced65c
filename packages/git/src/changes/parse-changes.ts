// Parses git's list of changed files (`--raw --numstat -z`): first the status of every file, then the line counts.

import type { FileDiff } from '@switchyard/contracts'

const STATUS: Readonly<Record<string, FileDiff['status']>> = { A: 'added', D: 'deleted', R: 'renamed', C: 'added' }

/** Returns the changed files. An incomplete entry at the end of truncated output is ignored. */
export const parseChanges = (text: string): readonly FileDiff[] => {
  const fields = text.split('\0')
  const statuses = new Map<string, FileDiff['status']>()
  let at = 0
  // `:<mode> <mode> <object> <object> <status>`, then one name, or two for a rename.
  for (let status = statusOf(fields[at]); status !== undefined; status = statusOf(fields[at])) {
    const isPair = status === 'R' || status === 'C'
    statuses.set(fields[at + (isPair ? 2 : 1)] ?? '', STATUS[status] ?? 'modified')
    at += isPair ? 3 : 2
  }
  const files: FileDiff[] = []
  while (at < fields.length - 1) {
    const [, added = '', removed = '', name = ''] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(fields[at] ?? '') ?? []
    // A rename has an empty name here, followed by both names.
    const isRename = name === ''
    const file = isRename ? fields[at + 2] : name
    at += isRename ? 3 : 1
    if (added === '' || file === undefined) continue
    files.push({
      path: file,
      status: statuses.get(file) ?? 'modified',
      additions: added === '-' ? 0 : Number(added),
      deletions: removed === '-' ? 0 : Number(removed),
      binary: added === '-',
    })
  }
  return files
}

const statusOf = (field: string | undefined): string | undefined =>
  /^:\d{6} \d{6} [0-9a-f]+ [0-9a-f]+ ([A-Z])\d*$/.exec(field ?? '')?.[1]
