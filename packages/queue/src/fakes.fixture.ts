// A logger, tasks, and the closing of what a test opens.

import type { TaskId } from '@switchyard/contracts'
import { pino } from 'pino'
import { afterEach } from 'vitest'
import type { RunnableTask } from './task-queue.ts'

export const silent = pino({ level: 'silent' })

/** Closes everything that a test opened, in reverse order. */
export const useClosing = (): (<T extends { close(): Promise<void> }>(resource: T) => T) => {
  const opened: { close(): Promise<void> }[] = []
  afterEach(async () => {
    for (const resource of opened.splice(0).reverse()) await resource.close()
  })
  return (resource) => {
    opened.push(resource)
    return resource
  }
}

export const taskId = (name: string): TaskId => `task_${name}` as TaskId

export const task = (name: string, columns: Partial<RunnableTask> = {}): RunnableTask => ({
  id: taskId(name),
  priority: 5,
  generation: 0,
  mode: 'opencode',
  pool: 'blue',
  ...columns,
})
