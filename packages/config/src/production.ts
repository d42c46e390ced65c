// Checks secrets. In production a missing or well-known secret stops the start; in development it is logged.

import { isPlaceholder } from '@switchyard/contracts'
import type { GitToken } from './git-tokens.ts'
import type { ApiKey } from './keys.ts'

/** The process that reads the environment; each needs different secrets. `all`: one process (`npm start`). */
export type Part = 'api' | 'worker' | 'notifier' | 'docker-filter' | 'model-gateway' | 'all'

/** The variables that hold secrets, as they were read. */
export type Secrets = {
  readonly SWITCHYARD_API_KEYS: readonly ApiKey[]
  readonly OPENCODE_SERVER_URL?: string | undefined
  readonly OPENCODE_SERVER_PASSWORD?: string | undefined
  readonly WEBHOOK_SECRET?: string | undefined
  readonly DATABASE_URL?: string | undefined
  readonly REDIS_URL?: string | undefined
  readonly LETTA_API_TOKEN?: string | undefined
  readonly MATRIX_ACCESS_TOKEN?: string | undefined
  readonly GIT_HTTPS_TOKENS: readonly GitToken[]
  readonly GIT_HTTPS_TOKENS_FILE: readonly GitToken[]
}

/** `missing`: not set. `weak`: too short, or a placeholder. No message repeats the secret. */
export type SecretProblems = { readonly missing: readonly string[]; readonly weak: readonly string[] }

type Check = { readonly parts: readonly Part[]; readonly problemsOf: (secrets: Secrets) => SecretProblems }

const MIN_LENGTH = 16
const FINE: SecretProblems = { missing: [], weak: [] }

const missing = (problem: string): SecretProblems => ({ missing: [problem], weak: [] })

/** Returns why a value is too weak for production. */
const weak = (name: string, value: string): SecretProblems => {
  if (isPlaceholder(value)) return { missing: [], weak: [`${name} is a placeholder`] }
  return value.length < MIN_LENGTH ? { missing: [], weak: [`${name} is shorter than ${MIN_LENGTH} characters`] } : FINE
}

/** Checks a token that another service issued: any length, but not a placeholder. */
const foreign = (name: string, value: string): SecretProblems =>
  isPlaceholder(value) ? { missing: [], weak: [`${name} is a placeholder`] } : FINE

const together = (all: readonly SecretProblems[]): SecretProblems => ({
  missing: all.flatMap((each) => each.missing),
  weak: all.flatMap((each) => each.weak),
})

/** Checks the password in the URL of a server on the network. */
const passwordIn = (name: string, given: string | undefined): SecretProblems => {
  if (given === undefined || !URL.canParse(given)) return FINE
  const url = new URL(given)
  // A server reached by socket, or with a client certificate, needs no password.
  if (url.hostname === '' || url.searchParams.has('host') || url.searchParams.has('sslcert')) return FINE
  return url.password === '' ? missing(`${name} has no password`) : weak(`the password in ${name}`, url.password)
}

const CHECKS: readonly Check[] = [
  {
    parts: ['api', 'all'],
    problemsOf: ({ SWITCHYARD_API_KEYS: keys }) =>
      keys.length === 0
        ? missing('SWITCHYARD_API_KEYS is not set')
        : together(keys.map(({ name, token }) => weak(`the token of "${name}" in SWITCHYARD_API_KEYS`, token))),
  },
  {
    parts: ['worker', 'all'],
    problemsOf: ({ OPENCODE_SERVER_URL: url, OPENCODE_SERVER_PASSWORD: password }) => {
      // Switchyard generates the password of a server that it starts.
      if (password === undefined) return url === undefined ? FINE : missing('OPENCODE_SERVER_PASSWORD is not set')
      return weak('OPENCODE_SERVER_PASSWORD', password)
    },
  },
  {
    parts: ['notifier', 'all'],
    problemsOf: ({ WEBHOOK_SECRET: secret }) =>
      secret === undefined
        ? missing('WEBHOOK_SECRET is not set, and tasks may have a callback_url')
        : weak('WEBHOOK_SECRET', secret.replace(/^whsec_/, '')),
  },
  {
    parts: ['notifier', 'all'],
    problemsOf: ({ LETTA_API_TOKEN: letta, MATRIX_ACCESS_TOKEN: matrix }) =>
      together([
        letta === undefined ? FINE : foreign('LETTA_API_TOKEN', letta),
        matrix === undefined ? FINE : foreign('MATRIX_ACCESS_TOKEN', matrix),
      ]),
  },
  {
    parts: ['worker', 'all'],
    problemsOf: ({ GIT_HTTPS_TOKENS: tokens, GIT_HTTPS_TOKENS_FILE: file }) =>
      together([
        ...tokens.map(({ host, token }) => foreign(`the token of ${host} in GIT_HTTPS_TOKENS`, token)),
        ...file.map(({ host, token }) => foreign(`the token of ${host} in GIT_HTTPS_TOKENS_FILE`, token)),
      ]),
  },
  {
    parts: ['api', 'worker', 'notifier', 'all'],
    problemsOf: (secrets) =>
      together([passwordIn('DATABASE_URL', secrets.DATABASE_URL), passwordIn('REDIS_URL', secrets.REDIS_URL)]),
  },
]

/** Returns what would stop a process from starting in production. */
export const secretProblems = (part: Part, secrets: Secrets): SecretProblems =>
  together(CHECKS.filter(({ parts }) => parts.includes(part)).map(({ problemsOf }) => problemsOf(secrets)))
