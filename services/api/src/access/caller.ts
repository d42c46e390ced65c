// Who makes a call, and what that caller may see of the records of all keys.

import { SwitchyardError } from '@switchyard/contracts'

export type Caller = {
  /** The key's name, or `local` on an installation without keys. It owns the tasks that it creates. */
  readonly name: string
  readonly role: 'operator' | 'agent'
  /** The `X-Agent-Id` header, if the call sent one. */
  readonly agentId: string | undefined
}

/** The caller's name on an installation without keys, where every caller on the host is an operator. */
export const LOCAL = 'local'

export const isOperator = (caller: Caller): boolean => caller.role === 'operator'

/**
 * Returns the caller if it is an operator.
 *
 * @param what - the refused action, as the subject of a sentence: `setting mode`
 * @throws SwitchyardError `forbidden`
 */
export const requireOperator = (caller: Caller, what: string): Caller => {
  if (isOperator(caller)) return caller
  throw new SwitchyardError('forbidden', `${what} requires an operator key`)
}

/**
 * Returns the caller of a route that requires a key.
 *
 * @throws SwitchyardError `unauthorized` if the request has no key
 */
export const requireCaller = (caller: Caller | undefined): Caller => {
  if (!caller) throw new SwitchyardError('unauthorized', 'the request has no API key')
  return caller
}

/** Returns whether the caller may see and change what `ownerKey` created: its own, or everything as an operator. */
export const mayAccess = (caller: Caller, ownerKey: string | null): boolean =>
  isOperator(caller) || ownerKey === caller.name

/** Returns the filter that limits a list to what the caller may see: an agent's own records, or everything. */
export const ownerFilter = (caller: Caller): { readonly owner_key?: string } =>
  isOperator(caller) ? {} : { owner_key: caller.name }
