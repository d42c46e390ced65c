// Decides which calls to the Docker engine a worker may make.

import { SERVER_NAME } from '@switchyard/docker'
import { NotAllowed } from './not-allowed.ts'

type ContainerAction = 'json' | 'logs' | 'stats' | 'start' | 'stop' | 'pause' | 'unpause' | 'remove'

export type AllowedCall =
  /** Forwarded unchanged. */
  | { readonly kind: 'forward'; readonly path: string }
  | { readonly kind: 'list'; readonly labels: readonly unknown[] }
  | { readonly kind: 'create'; readonly name: string | null }
  | { readonly kind: 'remove-volume'; readonly name: string }
  | {
      readonly kind: 'container'
      readonly action: ContainerAction
      readonly id: string
      readonly query: URLSearchParams
    }

const ID = '[0-9a-zA-Z][0-9a-zA-Z_.-]{0,200}'
const CONTAINER_CALLS: readonly (readonly [string, RegExp])[] = [
  ['GET', new RegExp(`^/containers/(?<id>${ID})/(?<action>json|logs|stats)$`)],
  ['POST', new RegExp(`^/containers/(?<id>${ID})/(?<action>start|stop|pause|unpause)$`)],
  ['DELETE', new RegExp(`^/containers/(?<id>${ID})$`)],
]
const CONTAINER_PARAMETERS: ReadonlySet<string> = new Set(['follow', 'stdout', 'stderr', 't', 'force', 'v'])
const VOLUME = /^\/volumes\/([^/]+)$/
const LISTED_LABEL = /^switchyard\.(task|namespace)(=|$)/

/**
 * Returns what the filter has to do for a call.
 *
 * @param target - the target of the request line, with or without an API version: `/v1.41/version`.
 * @param image - the image of tasks, the only one a worker may inspect.
 * @throws NotAllowed for every call that a worker does not need
 */
export const checkCall = (method: string, target: string, image: string): AllowedCall => {
  const url = URL.parse(target, 'http://docker')
  if (!url) throw new NotAllowed('the request line has no valid path')
  const path = url.pathname.replace(/^\/v1\.\d+(?=\/)/, '')
  const route = `${method} ${path}`
  if (route === 'GET /version' || route === `GET /images/${encodeURI(image)}/json`) return { kind: 'forward', path }
  if (route === 'GET /containers/json') return { kind: 'list', labels: listedLabels(url.searchParams) }
  if (route === 'POST /containers/create') return { kind: 'create', name: url.searchParams.get('name') }
  const volume = method === 'DELETE' ? VOLUME.exec(path)?.[1] : undefined
  if (volume !== undefined && SERVER_NAME.test(volume)) return { kind: 'remove-volume', name: volume }
  const call = containerCall(method, path, url.searchParams)
  if (call) return call
  throw new NotAllowed('a worker does not make this call')
}

const containerCall = (method: string, path: string, given: URLSearchParams): AllowedCall | undefined => {
  for (const [verb, pattern] of CONTAINER_CALLS) {
    const { id, action = 'remove' } = (verb === method ? pattern.exec(path)?.groups : undefined) ?? {}
    if (id === undefined) continue
    const query = new URLSearchParams([...given].filter(([name]) => CONTAINER_PARAMETERS.has(name)))
    return { kind: 'container', action: action as ContainerAction, id, query }
  }
  return undefined
}

/** A worker lists containers by the label of tasks or of network namespaces, never all of them. */
const listedLabels = (query: URLSearchParams): readonly unknown[] => {
  const filters = parseJson(query.get('filters') ?? '{}', 'filters') as { label?: unknown } | null
  const labels = filters?.label
  if (Array.isArray(labels) && labels.some((label) => LISTED_LABEL.test(String(label)))) return labels
  throw new NotAllowed('containers can only be listed by the label of tasks or network namespaces')
}

/** @throws NotAllowed, naming `what`, for text that is not JSON */
export const parseJson = (text: string, what: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new NotAllowed(`${what}: not valid JSON`)
  }
}
