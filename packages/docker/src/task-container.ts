// The container of a task: what it runs and what it can see.

import type Docker from 'dockerode'
import { hardenedHostConfig, proxyVariables, QUIET_OPENCODE, toEnv } from './hardened-host-config.ts'
import { GENERATION, NOT_OF_COMPOSE, PROMPT, STACK, TASK } from './labels.ts'

/** What is the same for all task containers of an installation. */
export type RunnerSettings = {
  readonly stack: string
  readonly image: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly pids: number
  /** `uid:gid` of the owner of the task directories; never root. */
  readonly user: string
  /** Provider keys and OpenCode's own variables. They never appear in an argument list. */
  readonly environment: Readonly<Record<string, string>>
}

/** One prompt, answered by one container. */
export type Turn = {
  readonly taskId: string
  readonly generation: number
  /** Or {@link SUBAGENTS}. */
  readonly promptId: string
  /** The only directory of the host that the container sees, at the same path inside and outside. */
  readonly root: string
  /** Below `root`: OpenCode's working directory. */
  readonly directory: string
  /** Below `root`: OpenCode's data. The containers of one task use it one after another. */
  readonly home: string
  /** Below `root`: the prompt. OpenCode reads it from a file because it would parse an argument as an option. */
  readonly promptFile: string
  /** Further arguments of `opencode run`. */
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** The network of task containers, and the egress proxy that is their only route to the internet. */
export type RunnerNetwork = { readonly network: string; readonly proxy: string }

const TMP_BYTES = 512 * 1_048_576
/** The worker stores the whole output; the engine's log only has to last until a later worker reads it. */
const LOG_OPTIONS = { 'max-size': '64m', 'max-file': '4' } as const

/**
 * Checks the mounted directory before anything in it is read, entered or run. The engine resolves the path as late as the
 * start of the container; an agent that can write beside the directory could replace it with a link to any directory of
 * the host. The inode number proves that it is still the same one.
 */
const ENTER = [
  'if [ -n "$SWITCHYARD_ROOT_ID" ] && [ "$(stat -c %d:%i "$SWITCHYARD_ROOT")" != "$SWITCHYARD_ROOT_ID" ]; then',
  'echo "$SWITCHYARD_ROOT was replaced by another directory; nothing was run in it" >&2; exit 125; fi;',
  'cd "$SWITCHYARD_DIRECTORY" || exit 125;',
].join(' ')

/** `$@` are {@link Turn.args}. */
const RUN = 'exec opencode run --format json --thinking --print-logs --log-level INFO "$@" < "$SWITCHYARD_PROMPT_FILE"'

const ENTRYPOINT: readonly string[] = ['/bin/sh', '-c', `${ENTER} ${RUN}`, 'opencode']

/** Used instead of a prompt's id: the container answers no prompt and prints the subagents' messages from OpenCode's database. */
export const SUBAGENTS = 'subagents'

/** Prints one JSON object per line for each part of a subagent's session. The tables are those of OpenCode 1.18. */
const SUBAGENTS_QUERY = [
  "SELECT json_object('session', part.session_id, 'title', session.title, 'message', message.id,",
  "'info', json(message.data), 'id', part.id, 'part', json(part.data)) AS line",
  'FROM part JOIN message ON message.id = part.message_id JOIN session ON session.id = part.session_id',
  'WHERE session.parent_id IS NOT NULL ORDER BY part.time_created, part.id',
].join(' ')

const READ_SUBAGENTS: readonly string[] = [
  ...['/bin/sh', '-c', `${ENTER} exec "$@"`, 'opencode'],
  ...['opencode', 'db', '--format=tsv', SUBAGENTS_QUERY],
]

/**
 * Returns the variable that the filter adds to the container's environment, and that the entrypoint checks.
 *
 * @param rootId - `device:inode` of the task's directory, as the filter opened it
 */
export const rootIdVariable = (rootId: string): string => `SWITCHYARD_ROOT_ID=${rootId}`

const environmentOf = (
  settings: RunnerSettings,
  turn: Turn,
  { proxy }: RunnerNetwork,
): Readonly<Record<string, string>> => ({
  ...QUIET_OPENCODE,
  ...settings.environment,
  ...turn.environment,
  HOME: turn.home,
  SWITCHYARD_ROOT: turn.root,
  SWITCHYARD_DIRECTORY: turn.directory,
  SWITCHYARD_PROMPT_FILE: turn.promptFile,
  ...proxyVariables(proxy),
})

/** Returns the body of `POST /containers/create`. The filter in front of the socket accepts nothing wider than this. */
export const createBody = (
  settings: RunnerSettings,
  turn: Turn,
  runnerNetwork: RunnerNetwork,
): Docker.ContainerCreateOptions => ({
  Image: settings.image,
  User: settings.user,
  // Not the task's directory: if it did not exist, the engine would create it in the mounted directory.
  WorkingDir: '/',
  Entrypoint: [...(turn.promptId === SUBAGENTS ? READ_SUBAGENTS : ENTRYPOINT)],
  Cmd: [...turn.args],
  Env: toEnv(environmentOf(settings, turn, runnerNetwork)),
  Labels: {
    [STACK]: settings.stack,
    [TASK]: turn.taskId,
    [GENERATION]: String(turn.generation),
    [PROMPT]: turn.promptId,
    ...NOT_OF_COMPOSE,
  },
  OpenStdin: false,
  Tty: false,
  // The image's own health check is for a server.
  Healthcheck: { Test: ['NONE'] },
  HostConfig: hardenedHostConfig(settings, {
    network: runnerNetwork.network,
    mounts: [{ Type: 'bind', Source: turn.root, Target: turn.root, ReadOnly: false }],
    log: LOG_OPTIONS,
    tmpBytes: TMP_BYTES,
  }),
})
