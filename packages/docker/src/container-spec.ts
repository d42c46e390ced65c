// The container of a task: what OpenCode is run with, and the walls around it.

import type Docker from 'dockerode'
import { hardenedHostConfig, QUIET_OPENCODE, toEnv } from './hardened-host-config.ts'
import { GENERATION, NOT_OF_COMPOSE, PROMPT, STACK, TASK } from './labels.ts'

/** What is the same for all containers of an installation. */
export type RunnerSettings = {
  readonly stack: string
  readonly image: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly pids: number
  /** `uid:gid` of whoever owns the tasks' directories; never root. */
  readonly user: string
  /** Keys of providers and OpenCode's own variables. They are never in an argument list. */
  readonly environment: Readonly<Record<string, string>>
}

/** One prompt, answered by one container. */
export type Turn = {
  readonly taskId: string
  readonly generation: number
  /** Or {@link SUBAGENTS}. */
  readonly promptId: string
  /** All that the container sees of the host, at the same path there and here. */
  readonly root: string
  /** Below `root`: where OpenCode works. */
  readonly directory: string
  /** Below `root`: OpenCode's data, which the containers of one task share one after another. */
  readonly home: string
  /** Below `root`: the prompt. It is read from there because an argument could be taken for an option. */
  readonly promptFile: string
  /** Further arguments of `opencode run`. */
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** Where containers run, and their way out. */
export type RunnerNetwork = { readonly network: string; readonly proxy: string }

const TMP_BYTES = 512 * 1_048_576
/** The worker keeps the whole output; the engine keeps what a worker that comes later has to read. */
const LOG_OPTIONS = { 'max-size': '64m', 'max-file': '4' } as const

/**
 * The first words of every container. The engine looks the directory up by its path, as late as when it starts the container, and
 * whoever can write beside that directory can have put a link there meanwhile, to anywhere on the host. So it is known by its
 * number, and nothing is read in what is mounted, nor run on it, before that is the right one; not even a directory is entered.
 */
const ENTER = [
  'if [ -n "$SWITCHYARD_ROOT_ID" ] && [ "$(stat -c %d:%i "$SWITCHYARD_ROOT")" != "$SWITCHYARD_ROOT_ID" ]; then',
  'echo "another directory has come into the place of $SWITCHYARD_ROOT; nothing was run in it" >&2; exit 125; fi;',
  'cd "$SWITCHYARD_DIRECTORY" || exit 125;',
].join(' ')

/** `$@` are the arguments of {@link Turn.args}; the shell gives way to OpenCode. */
const RUN = 'exec opencode run --format json --thinking --print-logs --log-level INFO "$@" < "$SWITCHYARD_PROMPT_FILE"'

const ENTRYPOINT: readonly string[] = ['/bin/sh', '-c', `${ENTER} ${RUN}`, 'opencode']

/** In place of a prompt's id: the container that answers none, but prints what OpenCode's data have of subagents. */
export const SUBAGENTS = 'subagents'

/** One JSON object a line for each part of a session that another one has started. The tables are those of OpenCode 1.18. */
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
 * What the filter adds to a container's environment: the directory that it has found, for which alone the container is.
 *
 * @param rootId - `device:inode`
 */
export const rootIdVariable = (rootId: string): string => `SWITCHYARD_ROOT_ID=${rootId}`

const environmentOf = (settings: RunnerSettings, turn: Turn, way: RunnerNetwork): Readonly<Record<string, string>> => ({
  ...QUIET_OPENCODE,
  ...settings.environment,
  ...turn.environment,
  HOME: turn.home,
  SWITCHYARD_ROOT: turn.root,
  SWITCHYARD_DIRECTORY: turn.directory,
  SWITCHYARD_PROMPT_FILE: turn.promptFile,
  HTTP_PROXY: way.proxy,
  HTTPS_PROXY: way.proxy,
  http_proxy: way.proxy,
  https_proxy: way.proxy,
  NO_PROXY: 'localhost,127.0.0.1,::1',
})

/** The body of `POST /containers/create`. The filter in front of the socket admits nothing wider than this. */
export const createBody = (
  settings: RunnerSettings,
  turn: Turn,
  way: RunnerNetwork,
): Docker.ContainerCreateOptions => ({
  Image: settings.image,
  User: settings.user,
  // Not the task's: where that is missing the engine would make it, in whatever is mounted.
  WorkingDir: '/',
  Entrypoint: [...(turn.promptId === SUBAGENTS ? READ_SUBAGENTS : ENTRYPOINT)],
  Cmd: [...turn.args],
  Env: toEnv(environmentOf(settings, turn, way)),
  Labels: {
    [STACK]: settings.stack,
    [TASK]: turn.taskId,
    [GENERATION]: String(turn.generation),
    [PROMPT]: turn.promptId,
    ...NOT_OF_COMPOSE,
  },
  OpenStdin: false,
  Tty: false,
  // The image's own is that of a server.
  Healthcheck: { Test: ['NONE'] },
  HostConfig: hardenedHostConfig(settings, {
    network: way.network,
    mounts: [{ Type: 'bind', Source: turn.root, Target: turn.root, ReadOnly: false }],
    log: LOG_OPTIONS,
    tmpBytes: TMP_BYTES,
  }),
})
