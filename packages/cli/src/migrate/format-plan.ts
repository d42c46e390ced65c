// Formats a plan as text or JSON, without secrets.

import type { Diagnostic } from './diagnostics.ts'
import type { Plan, PlannedProject } from './plan.ts'
import type { PlannedSandbox } from './plan-sandboxes.ts'

const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`

const describeSandbox = (sandbox: PlannedSandbox): string => {
  const work = [
    ...(sandbox.unpushed > 0 ? [count(sandbox.unpushed, 'unpushed commit')] : []),
    ...(sandbox.changed > 0 ? [count(sandbox.changed, 'changed file')] : []),
  ]
  const formerBranch = sandbox.formerBranch === null ? 'no branch' : sandbox.formerBranch
  return [
    `    sandbox ${sandbox.name} on ${sandbox.branch} (${sandbox.why}, was on ${formerBranch}; ${work.join(', ') || 'no unpushed work'})`,
    `      from ${sandbox.directory}`,
  ].join('\n')
}

const describeProject = (project: PlannedProject): string => {
  const server =
    project.port === null
      ? 'on the shared server'
      : `with a dedicated server on port ${project.port} and ${project.password === null ? 'a new password' : 'its former password'}`
  const key = project.sshKey
  return [
    `  ${project.key}  (${project.entries.join(', ')})`,
    `    from ${project.gitUrl}, ${server}${project.model === null ? '' : `, model ${project.model}`}`,
    project.baseDir === null
      ? '    in a new clone that Switchyard manages'
      : `    in your checkout ${project.baseDir}, which is not changed`,
    ...(key === null
      ? []
      : [`    key ${key.path}${key.isHandedOver ? ', copied to Switchyard' : ', used where it is'}`]),
    ...project.sandboxes.map(describeSandbox),
  ].join('\n')
}

const HEADINGS: Readonly<Record<Diagnostic['kind'], string>> = {
  problem: 'Problems (not migrated, or only in part):',
  warning: 'Warnings:',
  note: 'Notes:',
}

const section = (heading: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : ['', heading, ...lines]

/** Returns the plan as text for a terminal. */
export const formatPlan = (plan: Plan): string => {
  const sandboxes = plan.projects.reduce((sum, project) => sum + project.sandboxes.length, 0)
  return [
    `${plan.from}: ${count(plan.projects.length, 'project')}, ${count(sandboxes, 'sandbox', 'sandboxes')}, ${count(plan.skipped.length, 'entry', 'entries')} skipped`,
    ...section('Projects:', plan.projects.map(describeProject)),
    ...section(
      'Skipped:',
      plan.skipped.map(({ name, where, why }) => `  ${name} (${where}): ${why}`),
    ),
    ...section(
      'Port conflicts:',
      plan.ports.map(({ port, name, why }) => `  port ${port} of ${name} ${why}`),
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

/** Returns the plan as JSON. A password is replaced by `[kept]`. */
export const planToJson = (plan: Plan): string =>
  `${JSON.stringify(plan, (name, value) => (name === 'password' && value !== null ? '[kept]' : value), 2)}\n`
