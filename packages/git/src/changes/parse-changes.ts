// Reads git's list of changed files (`--raw --numstat -z`): states first, numbers behind.

import type { FileDiff } from '@switchyard/contracts'

const STATUS: Readonly<Record<string, FileDiff['status']>> = { A: 'added', D: 'deleted', R: 'renamed', C: 'added' }

/** A list that was cut ends with its last whole entry. */
export const parseChanges = (text: string): readonly FileDiff[] => {
  const fields = text.split('\0')
  const states = new Map<string, FileDiff['status']>()
  let at = 0
  // `:<mode> <mode> <object> <object> <state>`, then a name, or two for a rename.
  for (let match = stateOf(fields[at]); match !== undefined; match = stateOf(fields[at])) {
    const isPair = match === 'R' || match === 'C'
    states.set(fields[at + (isPair ? 2 : 1)] ?? '', STATUS[match] ?? 'modified')
    at += isPair ? 3 : 2
  }
  const files: FileDiff[] = []
  while (at < fields.length - 1) {
    const [, added = '', removed = '', name = ''] = /^(\d+|-)\t(\d+|-)\t(.*)$/s.exec(fields[at] ?? '') ?? []
    // A rename has an empty name here and both names behind.
    const isRename = name === ''
    const file = isRename ? fields[at + 2] : name
    at += isRename ? 3 : 1
    if (added === '' || file === undefined) continue
    files.push({
      path: file,
      status: states.get(file) ?? 'modified',
      additions: added === '-' ? 0 : Number(added),
      deletions: removed === '-' ? 0 : Number(removed),
      binary: added === '-',
    })
  }
  return files
}

const stateOf = (field: string | undefined): string | undefined =>
  /^:\d{6} \d{6} [0-9a-f]+ [0-9a-f]+ ([A-Z])\d*$/.exec(field ?? '')?.[1]
