// Removes the network namespaces that workers keep ready, once no task uses them.

import { setTimeout as sleep } from 'node:timers/promises'
import { joinedHolders } from '@switchyard/docker'
import { callJson, type EngineAddress } from './engine-calls.ts'

const REMOVE_MS = 10_000
const RETRY_MS = 100

type ListedContainer = { readonly Id: string; readonly HostConfig: { readonly NetworkMode?: string } }

const list = async (engine: EngineAddress, filters: Readonly<Record<string, readonly string[]>>) => {
  const query = new URLSearchParams({ all: '1', filters: JSON.stringify(filters) })
  const { status, json } = await callJson(engine, { method: 'GET', path: `/containers/json?${query}` })
  if (status !== 200) throw new Error(`the engine could not list containers: ${JSON.stringify(json)}`)
  return json as readonly ListedContainer[]
}

const findIdle = async (engine: EngineAddress, network: string): Promise<readonly string[]> => {
  const namespaces = await list(engine, { label: ['switchyard.namespace'], network: [network] })
  const inUse = joinedHolders(await list(engine, { label: ['switchyard.task'] }))
  return namespaces.map(({ Id }) => Id).filter((id) => !inUse.has(id))
}

/**
 * Removes the containers that keep a namespace of this network open and that no task's container has joined.
 *
 * @throws Error if the engine does not answer, or has not removed all of them within 10 s
 */
export const removeIdleNamespaces = async (engine: EngineAddress, network: string): Promise<void> => {
  const deadline = Date.now() + REMOVE_MS
  for (;;) {
    const idle = await findIdle(engine, network)
    if (idle.length === 0) return
    if (Date.now() > deadline) throw new Error(`the engine has not removed ${idle.join(', ')}`)
    // The engine refuses to remove a container that is starting or already being removed; the next pass retries.
    await Promise.all(idle.map((id) => callJson(engine, { method: 'DELETE', path: `/containers/${id}?force=1&v=1` })))
    await sleep(RETRY_MS)
  }
}
