// A plan in words, and as JSON. Neither holds a secret.

import type { Finding } from './findings.ts'
import type { Plan, PlannedProject } from './plan.ts'
import type { PlannedSandbox } from './sandboxes.ts'

const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`

const describeSandbox = (sandbox: PlannedSandbox): string => {
  const work = [
    ...(sandbox.unpushed > 0 ? [count(sandbox.unpushed, 'unpushed commit')] : []),
    ...(sandbox.changed > 0 ? [count(sandbox.changed, 'changed file')] : []),
  ]
  const was = sandbox.formerBranch === null ? 'no branch' : sandbox.formerBranch
  return [
    `    sandbox ${sandbox.name} on ${sandbox.branch} (${sandbox.why}, was on ${was}; ${work.join(', ') || 'no work that is not pushed'})`,
    `      from ${sandbox.directory}`,
  ].join('\n')
}

const describeProject = (project: PlannedProject): string => {
  const server =
    project.port === null
      ? 'on the shared server'
      : `with a server of its own on port ${project.port}, ${project.password === null ? 'a new password' : 'its password'}`
  const key = project.sshKey
  return [
    `  ${project.key}  (${project.entries.join(', ')})`,
    `    from ${project.gitUrl}, ${server}${project.model === null ? '' : `, model ${project.model}`}`,
    project.baseDir === null
      ? '    in a clone of Switchyard’s own'
      : `    in your checkout ${project.baseDir}, which stays as it is`,
    ...(key === null ? [] : [`    key ${key.path}${key.isHandedOver ? ', handed over' : ', used where it is'}`]),
    ...project.sandboxes.map(describeSandbox),
  ].join('\n')
}

const HEADINGS: Readonly<Record<Finding['kind'], string>> = {
  problem: 'Cannot be brought over, or not as it is:',
  warning: 'You should know:',
  note: 'Also seen:',
}

const section = (heading: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', heading, ...lines]

export const planAsText = (plan: Plan): string => {
  const sandboxes = plan.projects.reduce((sum, project) => sum + project.sandboxes.length, 0)
  return [
    `${plan.from}: ${count(plan.projects.length, 'project')}, ${count(sandboxes, 'sandbox', 'sandboxes')}, ${count(plan.skipped.length, 'entry', 'entries')} skipped`,
    ...section('Kept as projects:', plan.projects.map(describeProject)),
    ...section(
      'Skipped:',
      plan.skipped.map(({ name, where, why }) => `  ${name} (${where}): ${why}`),
    ),
    ...section(
      'Ports that clash:',
      plan.ports.map(({ port, name, why }) => `  ${port} of ${name} ${why}`),
    ),
    ...(['problem', 'warning', 'note'] as const).flatMap((kind) =>
      section(
        HEADINGS[kind],
        plan.findings.filter((finding) => finding.kind === kind).map(({ where, message }) => `  ${where}: ${message}`),
      ),
    ),
    '',
  ].join('\n')
}

export const planAsJson = (plan: Plan): string =>
  `${JSON.stringify(plan, (name, value) => (name === 'password' && value !== null ? '[kept]' : value), 2)}\n`
