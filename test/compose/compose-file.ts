// Reads compose.yaml as Compose resolves it, and defines the rules for every service in it.

import { docker } from './docker.ts'

type Volume = {
  readonly type: string
  readonly source?: string
  readonly target: string
  readonly read_only?: boolean
}
type Port = { readonly host_ip?: string; readonly published?: string; readonly target: number }
export type Service = {
  readonly image?: string
  readonly user?: string
  readonly build?: { readonly dockerfile: string; readonly target?: string }
  readonly environment?: Readonly<Record<string, string | null>>
  readonly networks?: Readonly<Record<string, unknown>>
  readonly network_mode?: string
  readonly ports?: readonly Port[]
  readonly volumes?: readonly Volume[]
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly deploy?: {
    readonly resources?: {
      readonly limits?: { readonly cpus?: number | string; readonly memory?: string; readonly pids?: number }
    }
  }
  readonly read_only?: boolean
  readonly tmpfs?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly cap_add?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly privileged?: boolean
  readonly pid?: string
  readonly ipc?: string
  readonly container_name?: string
  readonly logging?: { readonly driver?: string; readonly options?: Readonly<Record<string, string>> }
  readonly restart?: string
  readonly init?: boolean
}
export type ComposeFile = {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
}

/** Returns compose.yaml resolved with these variables and no .env file. */
export const readComposeFile = async (env: Readonly<Record<string, string>> = {}): Promise<ComposeFile> =>
  JSON.parse(
    await docker(['compose', '--env-file', '/dev/null', '-f', 'compose.yaml', 'config', '--format', 'json'], { env }),
  ) as ComposeFile

/** What every service must have, by a description that completes "gives every service". */
export const RULES: Readonly<Record<string, (service: Service) => boolean>> = {
  'a health check': ({ healthcheck }) => (healthcheck?.test?.length ?? 0) > 1 && healthcheck?.disable !== true,
  'a memory limit': ({ deploy }) => Number(deploy?.resources?.limits?.memory ?? 0) > 0,
  'a CPU limit': ({ deploy }) => Number(deploy?.resources?.limits?.cpus ?? 0) > 0,
  'a PID limit': ({ deploy }) => Number(deploy?.resources?.limits?.pids ?? 0) > 0,
  'a read-only root': ({ read_only }) => read_only === true,
  'no capability': ({ cap_drop, cap_add }) => cap_drop?.includes('ALL') === true && (cap_add ?? []).length === 0,
  'no means to gain privileges': ({ security_opt, privileged }) =>
    security_opt?.includes('no-new-privileges:true') === true && privileged !== true,
  'log rotation': ({ logging }) =>
    logging?.driver === 'json-file' &&
    logging.options?.['max-size'] !== undefined &&
    logging.options['max-file'] !== undefined,
  'a restart policy': ({ restart }) => restart !== undefined && restart !== 'no',
  'an exact image tag': ({ image }) => /:[\w.-]*\d[\w.-]*$/.test(image ?? ''),
  'an init process': ({ init }) => init === true,
  'separate namespaces': ({ network_mode, pid, ipc }) =>
    (network_mode === undefined || network_mode === 'none') && pid === undefined && ipc === undefined,
  'a name that allows several instances': ({ container_name }) => container_name === undefined,
}

/** Returns the rules that a service breaks. */
export const brokenRules = (service: Service): readonly string[] =>
  Object.entries(RULES)
    .filter(([, isMet]) => !isMet(service))
    .map(([rule]) => rule)
