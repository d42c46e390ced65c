// What !status, !diff and !help show.

import { block, bold, clip, code, join, lines, type SaidBack, text, type Wording } from '@switchyard/channels/matrix'
import { isTerminal } from '@switchyard/contracts'
import { type Records, readLastEvents, type TaskRow, toRecords } from '@switchyard/records'
import type { TaskWorkspaces } from '@switchyard/worker-calls'

/** Characters of a diff in a message; a longer one is attached, up to `FILE`. */
const SHOWN = 3_000
const FILE = 5_000_000
const FILES = 20
const WORDS = 500

const COMMANDS: readonly (readonly [string, string])[] = [
  ['!status', 'how it stands'],
  ['!diff', 'what it has changed so far'],
  ['!pause', 'stop after this step, to go on later'],
  ['!resume', 'go on'],
  ['!cancel <why>', 'end it'],
  ['!reject <why>', 'decline what the agent asks'],
  ['!say <words>', 'tell the agent something while it waits for an answer'],
]

export const HELP: Wording = lines(
  text('Any words here go to the agent, or answer what it asks. Besides:'),
  ...COMMANDS.map(([command, meaning]) => join(code(command), text(` – ${meaning}`))),
)

const time = (iso: string): string => `${iso.slice(0, 16).replace('T', ' ')} UTC`

/** @throws SwitchyardError `database_unavailable` */
export const statusOf = async ({ db }: Records, row: TaskRow): Promise<SaidBack> => {
  const [[task], [last]] = await Promise.all([toRecords(db, [row]), readLastEvents(db, row.id, 1)])
  const since = row.started_at ?? row.created_at
  return {
    wording: lines(
      join(bold(row.status), text(` since ${time(row.updated_at.toISOString())} · begun ${time(since.toISOString())}`)),
      last ? text(`Last: ${clip(last.message, WORDS)}`) : null,
      ...(task?.requests ?? []).map(({ title }) => text(`Waits for an answer: ${clip(title, WORDS)}`)),
      isTerminal(row.status) ? null : text(`Ends at the latest ${time(row.deadline.toISOString())}`),
    ),
  }
}

/** @throws SwitchyardError as `TaskWorkspaces.readDiff` */
export const diffOf = async (workspaces: TaskWorkspaces, row: TaskRow): Promise<SaidBack> => {
  const { diff, files, truncated } = await workspaces.readDiff(row)
  if (files.length === 0) return { wording: text('Nothing has changed.') }
  const more = files.length > FILES ? text(`and ${files.length - FILES} more`) : null
  const list = files.slice(0, FILES).map((file) => text(`${file.path}  +${file.additions} −${file.deletions}`))
  const summary = lines(bold(`${files.length} ${files.length === 1 ? 'file' : 'files'}`), ...list, more)
  if (diff.length <= SHOWN && !truncated) return { wording: join(summary, text('\n'), block(diff, 'diff')) }
  const words = truncated ? 'It is too long to show: its beginning is attached.' : 'The diff is attached.'
  return {
    wording: lines(summary, text(words)),
    attachment: { name: `${row.id}.diff`, type: 'text/x-diff', text: diff.slice(0, FILE) },
  }
}
