// The tables as Kysely sees them. Column names are the wire's names wherever both have the thing.

import type {
  AvailableModels,
  CallId,
  CallTarget,
  DeliveryFailure,
  DeliveryState,
  ErrorCode,
  EventType,
  FileDiff,
  Fixed,
  Isolation,
  LiveDirectory,
  MessageType,
  Mode,
  ModeReason,
  Permissions,
  Pool,
  ProjectServerState,
  ProjectStatus,
  QueueName,
  Reply,
  ServerKind,
  Status,
  TaskError,
  TaskId,
  TaskRequest,
  TaskResult,
  WebhookId,
} from '@switchyard/contracts'

import type { ColumnType, Generated, GeneratedAlways, Kysely } from 'kysely'

type Json<T> = ColumnType<T, string, string>
type Time = ColumnType<Date, Date | string | undefined, Date | string>
type TimeOrNull = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>

export type TasksTable = {
  id: TaskId
  agent_id: string
  /** The API key's name; `local` without keys. Who may see and steer the task. */
  owner_key: string
  status: Status
  mode: Mode
  mode_reason: ModeReason | null
  mode_detail: string | null
  /** The pool of OpenCode servers that runs it; null in docker mode, and only there. */
  pool: Pool | null
  description: string
  idempotency_key: string | null
  request_hash: string
  project_id: string | null
  base_branch: string | null
  branch: string | null
  base_commit: string | null
  directory: string | null
  sandbox: string | null
  session_id: string | null
  /** The OpenCode message id that the first prompt carries, chosen before it is sent. */
  prompt_id: string | null
  model: string | null
  variant: string | null
  agent: string | null
  permissions: Permissions
  priority: number
  observers: Json<readonly string[]>
  callback_url: string | null
  metadata: Json<Readonly<Record<string, unknown>>>
  attempt: Generated<number>
  generation: Generated<number>
  worker_id: string | null
  /** The OpenCode server that holds the session. */
  server_id: string | null
  timeout_ms: number
  deadline: Time
  created_at: Time
  updated_at: Time
  started_at: TimeOrNull
  completed_at: TimeOrNull
  cancel_requested_at: TimeOrNull
  pause_requested_at: TimeOrNull
  control_reason: string | null
  result: Json<TaskResult> | null
  error: Json<TaskError> | null
  /** How many messages callers have sent: a run ends as completed only when it has delivered as many. */
  messages_sent: Generated<number>
  /** How often a turn was taken up again after its server was lost. */
  recoveries: Generated<number>
  /** At how many deaths of its server it was running. They are among its recoveries, and do not count as attempts. */
  server_deaths: Generated<number>
  /** Those of which no other task is known to be the cause. */
  suspicious_deaths: Generated<number>
  /** When it began to run alone, because its server had died too often under it. */
  alone_since: TimeOrNull
  /** While it runs on a server of its own: the server to which its session returns. */
  home_server_id: string | null
  /** The task has ended but its session is not stopped yet, because its server was unavailable. */
  abort_pending: Generated<boolean>
  workspace_removed_at: TimeOrNull
  /** Events up to this number are past retention and gone. */
  events_pruned_to: Generated<number>
  last_seq: Generated<number>
}

export type EventsTable = {
  task_id: string
  seq: number
  type: EventType
  message: string
  data: Json<Record<string, unknown>>
  source_key: string | null
  created_at: Time
  /** Among the events of all tasks; null for those from before there was such an order. */
  position: ColumnType<number | null, never, never>
}

export type MessagesTable = {
  id: string
  task_id: string
  message: string
  message_type: MessageType
  metadata: Json<Readonly<Record<string, unknown>>>
  sent_by: string
  created_at: Time
  /** The OpenCode message id, chosen before the message is sent. */
  prompt_id: string | null
  delivered_at: TimeOrNull
}

export type RequestsTable = {
  id: string
  task_id: string
  opencode_id: string
  session_id: string
  kind: 'permission' | 'question'
  title: string
  permission: string | null
  patterns: Json<readonly string[]>
  /** Patterns, with * for any text, that `always` allows for the rest of the task. */
  always: Json<readonly string[]>
  questions: Json<TaskRequest['questions']>
  default_reply: string
  created_at: Time
  expires_at: Time
  reply: Json<{ reply: Reply['reply']; message: string | null }> | null
  replied_by: string | null
  replied_at: TimeOrNull
  /** When OpenCode has the answer, or no longer asks. */
  settled_at: TimeOrNull
  /** When it was repeated to destinations with `escalation`. */
  escalated_at: TimeOrNull
}

/** What a task had changed when it ended, kept after its working directory is gone. */
type DiffsTable = {
  task_id: string
  diff: string
  files: Json<readonly FileDiff[]>
  truncated: boolean
}

/** `registered_at` is null where only tasks have named it. */
export type ProjectsTable = {
  id: string
  /** `host/owner/repo`, or the path of a local one. */
  key: string
  /** What git fetches from; holds no credentials. */
  url: string
  created_at: Time
  status: Generated<ProjectStatus>
  detail: string | null
  owner_key: string | null
  registered_at: TimeOrNull
  updated_at: Time
  name: string | null
  description: string | null
  tags: Generated<string[]>
  settings: Json<Readonly<Record<string, unknown>>>
  permissions: Json<ProjectPermissions>
  base_dir: string | null
  /** False: `base_dir` is the caller's own checkout. */
  is_managed: Generated<boolean>
  default_branch: string | null
  isolation: Generated<Isolation>
  pool: Generated<Pool>
  model: string | null
  user_ssh_key: string | null
  public_key: string | null
  warnings: Json<readonly string[]>
}

/** Who, beside its owner and operators, may use a project. */
export type ProjectPermissions = { readonly agents?: readonly string[] }

export type SandboxesTable = {
  project_id: string
  name: string
  path: string
  branch: string
  base_branch: string | null
  base_commit: string | null
  start_command: string | null
  owner_key: string
  /** False until its files are there and its start command has succeeded. */
  is_ready: Generated<boolean>
  created_at: Time
}

type UploadsTable = {
  id: string
  part: number
  data: Buffer
  created_at: Generated<Date>
}

export type CallsTable = {
  id: CallId
  kind: string
  target: CallTarget
  args: Json<unknown>
  state: Generated<'waiting' | 'taken' | 'done' | 'failed'>
  worker_id: string | null
  result: Json<unknown> | null
  error: Json<CallFailure> | null
  created_at: Time
  /** Nobody takes it later than this: the caller has given up. */
  expires_at: Time
  ended_at: TimeOrNull
}

export type CallFailure = {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  readonly retryable: boolean
  readonly context: Readonly<Record<string, unknown>>
}

type WorkersTable = {
  id: string
  hostname: string
  started_at: Time
  heartbeat_at: Time
  concurrency: number
  /** What it can run now: none where its server is down. */
  lanes: Generated<readonly QueueName[]>
  /** Whether it can start servers for projects and API keys now. */
  starts_servers: Generated<boolean>
}

export type ServerCatalog = {
  readonly providers: readonly { readonly id: string; readonly models: readonly string[] }[]
  readonly agents: readonly string[]
  readonly default_model: string | null
}

export type ServersTable = {
  id: string
  state: 'starting' | 'up' | 'busy' | 'down' | 'stopped'
  version: string | null
  detail: string | null
  catalog: Json<ServerCatalog> | null
  reported_at: Time
  kind: ServerKind | null
  pool: Pool | null
  url: string | null
  pid: number | null
  memory_bytes: number | null
  busy_sessions: number | null
  last_health_at: TimeOrNull
  offer: Json<AvailableModels> | null
  live: ColumnType<readonly LiveDirectory[], string | undefined, string>
}

/** Directories with a repository that no project has. */
export type FoundTable = {
  directory: string
  /** Who knows it: OpenCode's own list of projects, or the managed place. */
  source: 'opencode' | 'managed'
  is_managed: boolean
  /** Of its remote, without credentials. */
  url: string | null
  seen_at: Time
}

/** Null: the project's server says it. */
export type AvailableModelsTable = {
  project_id: string
  offer: Json<AvailableModels> | null
  /** That its base checkout is on. */
  branch: string | null
  looked_at: Time
}

/** OpenCode servers that projects have for themselves. The first are settings: null is as the installation has it. */
export type ProjectServersTable = {
  /** The project's id; `owner:` and the key's name for the server of an API key. */
  project_id: string
  /** Where it listens if that is free. */
  port: number | null
  /** Bytes at which it is replaced. */
  memory_limit: number | null
  idle_ms: number | null
  environment: ColumnType<Readonly<Record<string, string>>, string | undefined, string>
  /** Who keeps it; counts only while that worker lives. */
  worker_id: string | null
  state: Generated<ProjectServerState>
  detail: string | null
  kind: ServerKind | null
  url: string | null
  pid: number | null
  container_id: string | null
  version: string | null
  memory_bytes: number | null
  busy_sessions: Generated<number>
  /** Since it was last stopped. */
  restarts: Generated<number>
  live: ColumnType<readonly LiveDirectory[], string | undefined, string>
  /** What its worker is asked for. */
  request: 'stop' | 'restart' | null
  started_at: TimeOrNull
  last_health_at: TimeOrNull
  used_at: Time
  updated_at: Time
}

type Settings = {
  percent: number
  /** The share of the pool green, in percent; blue has the rest. */
  green: number
  fixed: Fixed | null
  changed_at: Time
  /** The name of a key, `breaker` or `environment`. */
  changed_by: string
  reason: string
  breaker_state: 'closed' | 'open' | 'half_open'
  breaker_side: Mode | null
}

/** One row: what holds now. */
type RolloutTable = Settings & {
  only_row: Generated<boolean>
  breaker_since: Time
  breaker_reason: string | null
  /** How often it has opened again since it was last closed. */
  breaker_trips: number
  probes_sent: number
  probes_allowed: number
  probe_claimed_at: TimeOrNull
}

/** Every change, with what held after it. */
type RolloutChangesTable = Settings & { id: Generated<number> }

/** A destination of which there is one, set up by the environment of the notifier. */
export type ChannelId = 'matrix'

/** Destinations that receive events of tasks: webhooks and channels. */
export type DestinationsTable = {
  id: WebhookId | ChannelId
  kind: 'webhook' | ChannelId
  owner_key: string
  /** Created with an operator's key: it receives events of all tasks. */
  sees_all: boolean
  url: string
  description: string | null
  event_types: string[]
  agent_id: string | null
  project_id: string | null
  progress_interval_ms: number
  /** Receives only requests that nobody has answered. */
  escalation: boolean
  secret: string
  previous_secret: string | null
  previous_secret_expires_at: TimeOrNull
  disabled_at: TimeOrNull
  disabled_reason: string | null
  created_at: Time
}

export type DeliveriesTable = {
  id: Generated<string>
  /** In the order of writing, which is the order of sending for one task and destination. */
  number: GeneratedAlways<number>
  /** Null, as is `seq`, for a test. */
  task_id: TaskId | null
  seq: number | null
  type: string
  destination: string
  /** What one destination's deliveries wait in: its limit, its order of trying, its breaker. */
  lane: string
  owner_key: string
  state: Generated<DeliveryState>
  attempts: Generated<number>
  /** An attempt has started and has no result yet; it is lost once `next_attempt_at` has passed. */
  sending: Generated<boolean>
  failure: Json<DeliveryFailure> | null
  created_at: Time
  /** From when the time to give up is counted. */
  tried_since: Time
  next_attempt_at: Time
  last_attempt_at: TimeOrNull
  delivered_at: TimeOrNull
  /** The run in Letta that has the message, until it is known what came of it. */
  letta_run_id: string | null
  /** The notifier that made the last attempt. */
  taken_by: string | null
}

/** The breakers of destinations whose last attempt failed. */
type LanesTable = {
  lane: string
  failures: number
  openings: number
  open_until: TimeOrNull
}

/** Ways out that are switched on for the whole installation; the outbox writes for them. */
type ChannelsTable = { name: string; enabled_at: Time }

type NotifiersTable = {
  id: string
  hostname: string
  started_at: Time
  heartbeat_at: Time
  /** What is wrong with what it does, for a person. */
  problem: string | null
}

/** Calls in which an agent waits for a task, or has read of it. */
type AgentCallsTable = {
  id: Generated<string>
  task_id: TaskId
  waits_until: Time
  /** The agent has read up to this event; null while it waits. */
  seen_seq: number | null
}

export type LettaBlocksTable = {
  task_id: TaskId
  agent_id: string
  /** Null until it is made in Letta. */
  block_id: string | null
  /** What the block holds: the record up to this event. */
  written_seq: Generated<number>
  next_at: Time
  failures: Generated<number>
  problem: string | null
  /** No later attempt can help: the agent or the block is gone. */
  given_up_at: TimeOrNull
}

/** The room of each task that is reported in Matrix, and its messages that later ones refer to. */
export type MatrixThreadsTable = {
  task_id: TaskId
  room_id: string
  /** Made for this task alone: all that is said there is about it. */
  own_room: boolean
  /** The message that the thread hangs on. */
  root_event_id: string | null
  /** The message that is edited as the task goes on. */
  progress_event_id: string | null
  /** When the bot left the task's own room. */
  left_at: TimeOrNull
}

/** Our messages, by which a reply or a reaction is known to be about a task. */
type MatrixMessagesTable = {
  event_id: string
  task_id: TaskId
  room_id: string
  /** The request that it asks. */
  request_id: string | null
}

type MatrixSyncsTable = {
  user_id: string
  /** Everything before it has been read and done. */
  since: string | null
  /** The notifier that reads, for as long as its lease lasts. */
  holder: string
  lease_until: Time
}

export type ModelUsageTable = {
  server_id: string
  session_id: string
  provider: string
  model: string
  parent_session_id: string | null
  task_id: TaskId | null
  requests: number
  failed_requests: number
  input_tokens: number
  output_tokens: number
  reasoning_tokens: number
  cache_read_tokens: number
  cache_write_tokens: number
  first_at: Generated<Time>
  last_at: Generated<Time>
}

export type Database = {
  model_usage: ModelUsageTable
  tasks: TasksTable
  task_events: EventsTable
  task_messages: MessagesTable
  task_requests: RequestsTable
  task_diffs: DiffsTable
  projects: ProjectsTable
  sandboxes: SandboxesTable
  worker_calls: CallsTable
  uploads: UploadsTable
  workers: WorkersTable
  opencode_servers: ServersTable
  project_servers: ProjectServersTable
  project_offers: AvailableModelsTable
  found_directories: FoundTable
  rollout: RolloutTable
  rollout_changes: RolloutChangesTable
  destinations: DestinationsTable
  deliveries: DeliveriesTable
  delivery_lanes: LanesTable
  notification_channels: ChannelsTable
  notifiers: NotifiersTable
  agent_calls: AgentCallsTable
  letta_blocks: LettaBlocksTable
  matrix_threads: MatrixThreadsTable
  matrix_messages: MatrixMessagesTable
  matrix_syncs: MatrixSyncsTable
}

export type Db = Kysely<Database>
