// Network namespaces that workers keep ready, taken away where they would be left behind.

import { joined } from '@switchyard/docker'
import { callJson, type EngineAddress } from './engine-calls.ts'

type Listed = { readonly Id: string; readonly HostConfig: { readonly NetworkMode?: string } }

const list = async (engine: EngineAddress, filters: Readonly<Record<string, readonly string[]>>) => {
  const query = new URLSearchParams({ all: '1', filters: JSON.stringify(filters) })
  const { status, json } = await callJson(engine, { method: 'GET', path: `/containers/json?${query}` })
  if (status !== 200) throw new Error(`the engine listed no containers: ${JSON.stringify(json)}`)
  return json as readonly Listed[]
}

/** Removes the containers that hold a namespace of this network, but those in whose namespace a task's container is. */
export const removeIdleHolders = async (engine: EngineAddress, network: string): Promise<void> => {
  const holders = await list(engine, { label: ['switchyard.namespace'], network: [network] })
  const tasks = await list(engine, { label: ['switchyard.task'] })
  const inUse = new Set(tasks.map(({ HostConfig }) => joined(HostConfig.NetworkMode)))
  const idle = holders.filter(({ Id }) => !inUse.has(Id))
  // One that its worker removes at the same time is as good as removed.
  await Promise.all(idle.map(({ Id }) => callJson(engine, { method: 'DELETE', path: `/containers/${Id}?force=1&v=1` })))
}
