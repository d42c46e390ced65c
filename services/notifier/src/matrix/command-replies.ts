// The replies to !status, !diff and !help.

import {
  block,
  bold,
  clip,
  code,
  type FormattedText,
  join,
  lines,
  type MatrixMessage,
  plain,
} from '@switchyard/channels/matrix'
import { isTerminal } from '@switchyard/contracts'
import { type Records, readLastEvents, type TaskRow, toRecords } from '@switchyard/records'
import type { TaskWorkspaces } from '@switchyard/worker-calls'

/** Limits in characters. A longer diff is attached, up to `FILE`. */
const DIFF = 3_000
const FILE = 5_000_000
const TEXT = 500
const FILES = 20

const COMMANDS: readonly (readonly [string, string])[] = [
  ['!status', 'show the status of the task'],
  ['!diff', 'show what it has changed so far'],
  ['!pause', 'pause it after the current step'],
  ['!resume', 'continue it'],
  ['!cancel <reason>', 'cancel it'],
  ['!reject <reason>', 'decline the request of the agent'],
  ['!say <message>', 'send the agent a message while it waits for an answer'],
]

export const HELP: FormattedText = lines(
  plain('Any other message goes to the agent, or answers its request. Commands:'),
  ...COMMANDS.map(([command, meaning]) => join(code(command), plain(` – ${meaning}`))),
)

const time = (iso: string): string => `${iso.slice(0, 16).replace('T', ' ')} UTC`

/** @throws SwitchyardError `database_unavailable` */
export const statusReply = async ({ db }: Records, row: TaskRow): Promise<MatrixMessage> => {
  const [[task], [last]] = await Promise.all([toRecords(db, [row]), readLastEvents(db, row.id, 1)])
  const start = row.started_at ?? row.created_at
  return {
    text: lines(
      join(
        bold(row.status),
        plain(` since ${time(row.updated_at.toISOString())} · started ${time(start.toISOString())}`),
      ),
      last ? plain(`Last event: ${clip(last.message, TEXT)}`) : null,
      ...(task?.requests ?? []).map(({ title }) => plain(`Waiting for an answer: ${clip(title, TEXT)}`)),
      isTerminal(row.status) ? null : plain(`Deadline: ${time(row.deadline.toISOString())}`),
    ),
  }
}

/** @throws SwitchyardError as `TaskWorkspaces.readDiff` */
export const diffReply = async (workspaces: TaskWorkspaces, row: TaskRow): Promise<MatrixMessage> => {
  const { diff, files, truncated } = await workspaces.readDiff(row)
  if (files.length === 0) return { text: plain('No changes.') }
  const more = files.length > FILES ? plain(`and ${files.length - FILES} more`) : null
  const list = files.slice(0, FILES).map((file) => plain(`${file.path}  +${file.additions} −${file.deletions}`))
  const summary = lines(bold(`${files.length} ${files.length === 1 ? 'file' : 'files'}`), ...list, more)
  if (diff.length <= DIFF && !truncated) return { text: join(summary, plain('\n'), block(diff, 'diff')) }
  const note = truncated ? 'The diff is too long; its beginning is attached.' : 'The diff is attached.'
  return {
    text: lines(summary, plain(note)),
    attachment: { name: `${row.id}.diff`, type: 'text/x-diff', content: diff.slice(0, FILE) },
  }
}
