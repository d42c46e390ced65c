// The labels and names by which containers are found again.

/** The installation, so that two of them can share an engine. */
export const STACK = 'switchyard.stack'
/** The task's id. */
export const TASK = 'switchyard.task'
/** On a project's server: the project's id. */
export const SERVER = 'switchyard.server'
/** On a container that keeps a network namespace open: the worker's id. */
export const NAMESPACE = 'switchyard.namespace'
/** The generation of the task that created the container. */
export const GENERATION = 'switchyard.generation'
/** The prompt that the container answers. It is recorded before the container is created, so a later owner knows what was sent. */
export const PROMPT = 'switchyard.prompt'

/**
 * Clears the Compose labels. An image built by Compose names its project, and containers inherit that: Compose would
 * take them for services of the project and replace them.
 */
export const NOT_OF_COMPOSE = { 'com.docker.compose.project': '', 'com.docker.compose.service': '' } as const

/** Returns the name of a prompt's container. Names are unique on an engine, so each prompt is answered at most once. */
export const nameOf = (stack: string, taskId: string, promptId: string): string =>
  `switchyard-${stack}-${taskId}-${promptId}`.toLowerCase()
