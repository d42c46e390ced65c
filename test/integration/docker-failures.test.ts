// What can go wrong with a runner container, and what the caller receives.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Task } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { docker } from '../compose/docker.ts'
import { containersOf, type DockerSystem, startDockerSystem, whyNoContainers } from './docker-system.ts'

const missing = await whyNoContainers()
const TEST_MS = 120_000
const BASE = 'debian:bookworm-slim'

const bash = (command: string) => ({ tool: 'bash', args: { command, description: command } })

/** Builds an image whose `opencode` is this shell script. */
const buildImage = async (name: string, text: string): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'switchyard-test-image-'))
  try {
    await writeFile(path.join(folder, 'opencode'), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
    await writeFile(path.join(folder, 'Dockerfile'), `FROM ${BASE}\nCOPY opencode /usr/local/bin/opencode\n`)
    await docker(['build', '--quiet', '--tag', name, folder])
    return name
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Opens a proxy to the Docker engine that can be cut and restored, and counts the reads of containers' logs. */
const openLine = async () => {
  const sockets = new Set<Socket>()
  let isCut = false
  let logReads = 0
  const server = createServer((client) => {
    if (isCut) return void client.destroy()
    const engine = connect('/var/run/docker.sock')
    sockets.add(client)
    for (const socket of [client, engine])
      socket
        .on('error', () => undefined)
        .on('close', () => {
          client.destroy()
          engine.destroy()
          sockets.delete(client)
        })
    client.on('data', (data) => {
      if (/^GET \/containers\/\w+\/logs/.test(data.toString('latin1'))) logReads += 1
    })
    client.pipe(engine).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `tcp://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    logReads: () => logReads,
    cut: (cut: boolean) => {
      isCut = cut
      if (cut) for (const socket of sockets) socket.destroy()
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

describe('a runner container', { timeout: TEST_MS }, () => {
  const closing: (() => Promise<unknown>)[] = []

  const start = async (env: Readonly<Record<string, string>>): Promise<DockerSystem> => {
    const system = await startDockerSystem('postgres', env)
    closing.push(system.close)
    return system
  }
  const failureOf = async (env: Readonly<Record<string, string>>, steps: Parameters<typeof script>[0] = []) => {
    const { caller } = await start(env)
    const { task_id } = await caller.submit({ task_description: script([...steps, { say: 'done' }]) })
    const task = await caller.ended(task_id)
    await expect.poll(() => containersOf(task_id), { timeout: 10_000 }).toEqual([])
    return task
  }

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  afterEach(async () => {
    for (const step of closing.splice(0).reverse()) await step()
  })

  it('fails the task when its image does not exist', async () => {
    expect(await failureOf({ RUNNER_IMAGE: 'switchyard/nowhere:0' })).toMatchObject({
      status: 'failed',
      error: { code: 'runner_image_missing', retryable: false },
    })
  })

  it('fails the task when its image has no OpenCode', async () => {
    expect(await failureOf({ RUNNER_IMAGE: BASE })).toMatchObject({
      status: 'failed',
      error: { code: 'runner_image_invalid' },
    })
  })

  it('fails the task with the output when it exits at once', async () => {
    const image = await buildImage('switchyard-test/exits:0', 'echo "cannot read its own mind" >&2; exit 3')
    const task = await failureOf({ RUNNER_IMAGE: image })
    expect(task).toMatchObject({ status: 'failed', error: { code: 'container_failed' }, result: { exit_code: 3 } })
    expect(task.error?.message).toContain('cannot read its own mind')
  })

  it('fails the task when it exceeds its memory limit', async () => {
    const image = await buildImage('switchyard-test/hungry:0', 'exec tail /dev/zero')
    expect(await failureOf({ RUNNER_IMAGE: image, RUNNER_MEMORY_LIMIT: '256m' })).toMatchObject({
      status: 'failed',
      error: { code: 'container_out_of_memory' },
    })
  })

  it('fails the task when it prints nothing', async () => {
    const image = await buildImage('switchyard-test/mute:0', 'exec sleep 600')
    expect(await failureOf({ RUNNER_IMAGE: image, TASK_STUCK_MS: '2000' })).toMatchObject({
      status: 'failed',
      error: { code: 'container_silent', retryable: true },
    })
  })

  it('fails the task when its files exceed the disk quota', async () => {
    const steps = [bash('head -c 80000000 /dev/zero > big.bin; sleep 100')]
    expect(await failureOf({ RUNNER_DISK_LIMIT: '40m' }, steps)).toMatchObject({
      status: 'failed',
      error: { code: 'container_disk_full' },
      result: { files_changed: ['big.bin'] },
    })
  })

  it('fails the task when its output exceeds the disk quota', async () => {
    const image = await buildImage('switchyard-test/loud:0', 'exec yes "$(head -c 4000 /dev/zero | tr "\\0" x)"')
    expect(await failureOf({ RUNNER_IMAGE: image, RUNNER_DISK_LIMIT: '40m' })).toMatchObject({
      status: 'failed',
      error: { code: 'container_disk_full' },
    })
  })

  it('waits for an unreachable engine, and can be cancelled meanwhile', async () => {
    const { caller } = await start({ DOCKER_HOST: 'tcp://127.0.0.1:9' })
    const { task_id } = await caller.submit({ task_description: 'x' })
    await expect.poll(async () => ((await caller.get(`/tasks/${task_id}`)) as Task).directory).not.toBeNull()
    expect(await caller.get(`/tasks/${task_id}`)).toMatchObject({ status: 'preparing', error: null })
    await caller.post(`/tasks/${task_id}/control`, { control: 'cancel' })
    expect(await caller.ended(task_id)).toMatchObject({ status: 'cancelled' })
  })

  it('is paused once its engine is reachable again, and the task is not paused before', async () => {
    const line = await openLine()
    const { caller } = await start({ DOCKER_HOST: line.url })
    const read = async (id: string) => (await caller.get(`/tasks/${id}`)) as Task
    const { task_id } = await caller.submit({
      task_description: script([bash('echo x > x.txt; sleep 300'), { say: 'x' }]),
    })
    await expect.poll(async () => (await read(task_id)).session_id, { timeout: 60_000 }).not.toBeNull()
    line.cut(true)
    expect(await caller.post(`/tasks/${task_id}/control`, { control: 'pause' })).toMatchObject({
      outcome: 'requested',
      status: 'running',
    })
    expect((await containersOf(task_id))[0]?.State.Status).toBe('running')
    line.cut(false)
    await expect.poll(async () => (await read(task_id)).status).toBe('paused')
    expect((await containersOf(task_id))[0]?.State.Status).toBe('paused')
    await caller.post(`/tasks/${task_id}/control`, { control: 'cancel' })
    await expect.poll(() => containersOf(task_id)).toEqual([])
    closing.unshift(line.close)
  })

  it('has its output followed as a stream while it runs, not polled', async () => {
    const line = await openLine()
    const { caller } = await start({ DOCKER_HOST: line.url })
    const { task_id } = await caller.submit({ task_description: script([bash('sleep 5'), { say: 'done' }]) })
    expect(await caller.ended(task_id)).toMatchObject({ status: 'completed' })
    // One follows the output; another reads it after the end, and each time that the end is known late.
    expect(line.logReads()).toBeLessThan(10)
    closing.unshift(line.close)
  })

  it('is read to its end once its engine is reachable again', async () => {
    const line = await openLine()
    const { caller, model } = await start({ DOCKER_HOST: line.url })
    const steps = [bash('echo x > x.txt'), { hold: 'back' }, { say: 'saw it through' }]
    const { task_id } = await caller.submit({ task_description: script(steps) })
    await expect
      .poll(async () => ((await caller.get(`/tasks/${task_id}`)) as Task).session_id, { timeout: 60_000 })
      .not.toBeNull()
    line.cut(true)
    model.release('back')
    await expect.poll(async () => (await containersOf(task_id))[0]?.State.Status, { timeout: 60_000 }).toBe('exited')
    expect(await caller.get(`/tasks/${task_id}`)).toMatchObject({ status: 'running' })
    line.cut(false)
    expect(await caller.ended(task_id)).toMatchObject({
      status: 'completed',
      result: { output: 'saw it through', files_changed: ['x.txt'] },
    })
    closing.unshift(line.close)
  })
})
