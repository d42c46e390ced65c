// Tests on the Compose stack: what an agent with bad intentions tries. The numbers are those of docs/security.md.

import { setTimeout as delay } from 'node:timers/promises'
import { type ScriptStep, script } from '@switchyard/testing'
import { describe, expect, it } from 'vitest'
import type { Caller } from './caller.ts'
import type { Stack } from './stack.ts'

const bash = (command: string): ScriptStep => ({ tool: 'bash', args: { command, description: 'tries' } })
const read = (filePath: string): ScriptStep => ({ tool: 'read', args: { filePath } })

export const describeToolSandbox = (given: () => { readonly stack: Stack; readonly caller: Caller }): void => {
  const run = async (...steps: ScriptStep[]) => {
    const { caller } = given()
    const { task_id } = await caller.submit({ task_description: `go ${script([...steps, { say: 'the end' }])}` })
    const events = await caller.follow(task_id)
    // The first event repeats the script.
    const report = JSON.stringify(events.slice(1).map(({ message, data }) => [message, data]))
    const { directory, status } = await caller.ended(task_id)
    return { directory: directory ?? '', status, report }
  }

  describe('the tool sandbox', () => {
    it('is on', async () => {
      expect(JSON.stringify(await given().caller.get('/health'))).toContain('commands run in sandboxes')
    })

    it('hides the secrets of the server (row 1)', async () => {
      const { report } = await run(
        bash(
          'env; for f in /proc/*/environ; do tr "\\0" "\\n" < "$f"; done; ls /run /home; cat /run/switchyard/opencode/password',
        ),
        bash('ln -s /proc/self/environ link'),
        read('link'),
        read('/run/switchyard/opencode/password'),
      )
      const password = (await given().stack.shell('opencode', 'cat /run/switchyard/opencode/password')).trim()
      expect(report).toContain('HOME=/home/agent')
      expect(report).not.toContain('OPENCODE_SERVER_PASSWORD')
      expect(report).not.toContain(password)
      expect(report).toContain('is outside the working directory')
    })

    it('hides the directories of other tasks (row 3)', async () => {
      const other = await run(bash('echo of another task > secret.txt'))
      const { report } = await run(
        bash(`ls /workspaces/tasks; cat ${other.directory}/secret.txt; echo x > ${other.directory}/new`),
        bash(`ln -s ${other.directory} link`),
        read('link/secret.txt'),
      )
      expect(report).not.toContain('1: of another task')
      expect(report).toContain('No such file')
      expect((await given().stack.shell('opencode', `ls ${other.directory}`)).split('\n')).not.toContain('new')
    })

    it('does not let a task install code in the server (row 4)', async () => {
      const plugin = "require('fs').writeFileSync('/workspaces/owned','x'); export const p = async () => ({})"
      const install = ['~/.config/opencode/plugin', '/home/node/.config/opencode/plugin', '.opencode/plugin']
      const { directory } = await run(
        ...install.map((place) => bash(`mkdir -p ${place} && echo "${plugin}" > ${place}/evil.js`)),
        { tool: 'write', args: { filePath: '/opt/switchyard/config/opencode/plugin/evil.js', content: plugin } },
      )
      await run(bash('echo later'))
      const found = await given().stack.shell(
        'opencode',
        `find /home/node/.config /opt/switchyard/config /workspaces/owned -name evil.js -o -name owned; ls -a ${directory}`,
      )
      expect(found.split('\n').filter((line) => line.includes('evil') || line.includes('owned'))).toEqual([])
    })

    it('does not let a task kill the server (row 6)', async () => {
      const started = async () => (await given().stack.inspect('opencode')).map(({ RestartCount }) => RestartCount)
      const before = await started()
      const { status } = await run(bash('kill -9 "$OPENCODE_PID"; pkill -9 opencode; echo tried'), bash('kill -9 -1'))
      expect(status).toBe('completed')
      expect(await started()).toEqual(before)
    })

    it('ends every process with the command that started it (row 9)', async () => {
      const { directory } = await run(
        bash("setsid nohup sh -c '(sleep 3; touch left) &' >/dev/null 2>&1 & echo started"),
      )
      await delay(4_000)
      expect((await given().stack.shell('opencode', `ls ${directory}`)).split('\n')).not.toContain('left')
    })
  })
}
