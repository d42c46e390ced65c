// A task with default values, for tests that write tasks to the database.

/**
 * Returns the arguments of `acceptTask` of @switchyard/records without an id. The deadline is in an
 * hour.
 */
export const ordinaryTask = () =>
  ({
    agent_id: 'agent',
    owner_key: 'local',
    mode: 'opencode',
    description: 'do it',
    idempotency_key: null,
    request_hash: 'hash',
    project_id: null,
    project: null,
    base_branch: null,
    branch: null,
    sandbox: null,
    model: null,
    variant: null,
    agent: null,
    permissions: 'allow',
    priority: 5,
    callback_url: null,
    timeout_ms: 60_000,
    observers: [],
    metadata: {},
    deadline: new Date(Date.now() + 3_600_000),
  }) as const
