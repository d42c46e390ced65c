import type { TaskRequest } from '@switchyard/contracts'
import { describe, expect, it } from 'vitest'
import { messageText } from './message.ts'
import { at, event, task } from './task.fixture.ts'

const request = (more: Partial<TaskRequest> = {}): TaskRequest => ({
  request_id: 'req_1',
  task_id: 'task_1',
  kind: 'permission',
  session_id: 'ses_1',
  title: 'May the agent use bash?',
  permission: 'bash',
  patterns: ['curl -H "Authorization: Bearer abcdef012345" example.com'],
  questions: [],
  created_at: at,
  expires_at: at,
  default_reply: 'reject',
  ...more,
})

describe('messageText for a task that has ended', () => {
  it('contains the answer, the changes and the cost, without file contents', () => {
    expect(messageText(task(), event('task_completed'))).toBe(
      [
        '[Switchyard] Task task_1 has ended: completed.',
        'Task description: Fix the test',
        'Answer: Fixed.\n[code left out]',
        'Files changed: 2 (+3 -1): src/a.ts, src/b.ts',
        'Branch: switchyard/task_1',
        'Cost: $0.0123',
        'Call get_task_status for the full record, or get_task_diff for the changes.',
      ].join('\n'),
    )
  })

  it('contains the error of a failed task', () => {
    const failed = task({
      status: 'failed',
      result: null,
      error: { code: 'model_error', message: 'password=hunter22 was refused', retryable: true },
    })
    const text = messageText(failed, event('task_failed'))
    expect(text).toContain('Error: model_error: password=[removed] was refused (a new task may succeed)')
  })

  it('stays short for a large result', () => {
    const { result } = task()
    if (!result) throw new Error('no result')
    const long = {
      ...result,
      output: 'word '.repeat(5_000),
      files_changed: Array.from({ length: 500 }, (_, n) => `f${n}`),
    }
    const text = messageText(task({ result: long, task_description: 'x'.repeat(100_000) }), event('task_completed'))
    expect(text.length).toBeLessThan(8_000)
    expect(text).toContain('and 480 more')
  })
})

describe('messageText for a request', () => {
  const textOf = (one: TaskRequest) =>
    messageText(
      task({ status: 'input_required', result: null, requests: [one] }),
      event('task_input_required', { request_id: 'req_1' }),
    )

  it('says what can be answered, and how', () => {
    const text = textOf(request())
    expect(text).toContain('Task task_1 needs an answer: May the agent use bash?')
    expect(text).toContain('Permission: bash curl -H "Authorization: Bearer [removed]" example.com')
    expect(text).toContain('Reply with "once", "always" (for this task) or "reject".')
    expect(text).toContain(
      `Answer with reply_task_request: task_id task_1, request_id req_1. If nobody answers by ${at}, the answer is "reject".`,
    )
  })

  it('contains the questions and their options', () => {
    const option = (label: string) => ({ label, description: null })
    const question = { question: 'Which?', header: null, options: [option('a'), option('b')], multiple: false }
    const text = textOf(request({ kind: 'question', title: 'A question', questions: [question] }))
    expect(text).toContain('1. Which? (one of "a", "b", or your own words)')
    expect(text).toContain('Reply with text.')
  })
})
