// How a container is found again: labels that say whose it is, and a name that only one of them can have.

/** Which installation of ours, so that two on one engine leave each other's containers alone. */
export const STACK = 'switchyard.stack'
export const TASK = 'switchyard.task'
/** Whose server it is: a project's id. */
export const SERVER = 'switchyard.server'
/** Whose network namespace it holds: a worker's id. */
export const NAMESPACE = 'switchyard.namespace'
/** The run of the task that made it. */
export const GENERATION = 'switchyard.generation'
/** The prompt that it answers: recorded before the container is made, so a later owner knows which has been sent. */
export const PROMPT = 'switchyard.prompt'

/**
 * An image that Compose built names its project, and a container inherits that: Compose would take it for one of the project's own
 * services, and replace it.
 */
export const NOT_OF_COMPOSE = { 'com.docker.compose.project': '', 'com.docker.compose.service': '' } as const

/** The engine refuses a name that is taken: however many owners think they are, a prompt is answered once. */
export const nameOf = (stack: string, taskId: string, promptId: string): string =>
  `switchyard-${stack}-${taskId}-${promptId}`.toLowerCase()
