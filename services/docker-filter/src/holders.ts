// Network namespaces that workers keep ready, taken away where they would be left behind.

import { setTimeout as sleep } from 'node:timers/promises'
import { joinedBy } from '@switchyard/docker'
import { callJson, type EngineAddress } from './engine-calls.ts'

const REMOVE_MS = 10_000
const AGAIN_MS = 100

type Listed = { readonly Id: string; readonly HostConfig: { readonly NetworkMode?: string } }

const list = async (engine: EngineAddress, filters: Readonly<Record<string, readonly string[]>>) => {
  const query = new URLSearchParams({ all: '1', filters: JSON.stringify(filters) })
  const { status, json } = await callJson(engine, { method: 'GET', path: `/containers/json?${query}` })
  if (status !== 200) throw new Error(`the engine listed no containers: ${JSON.stringify(json)}`)
  return json as readonly Listed[]
}

const idleHolders = async (engine: EngineAddress, network: string): Promise<readonly string[]> => {
  const holders = await list(engine, { label: ['switchyard.namespace'], network: [network] })
  const inUse = joinedBy(await list(engine, { label: ['switchyard.task'] }))
  return holders.map(({ Id }) => Id).filter((id) => !inUse.has(id))
}

/**
 * Removes the containers that hold a namespace of this network, but those in whose namespace a task's container is.
 *
 * @throws Error where the engine does not answer, or has not removed all of them within 10 s
 */
export const removeIdleHolders = async (engine: EngineAddress, network: string): Promise<void> => {
  const deadline = Date.now() + REMOVE_MS
  for (;;) {
    const idle = await idleHolders(engine, network)
    if (idle.length === 0) return
    if (Date.now() > deadline) throw new Error(`the engine has not removed ${idle.join(', ')}`)
    // One that is being started, or that its worker removes at the same time, is refused, and looked at again.
    await Promise.all(idle.map((id) => callJson(engine, { method: 'DELETE', path: `/containers/${id}?force=1&v=1` })))
    await sleep(AGAIN_MS)
  }
}
