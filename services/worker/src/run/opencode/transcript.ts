// What a run knows of its sessions' messages: enough to tell parts as events and to read everything again.

import type { Message, Part } from '@opencode-ai/sdk/v2'
import type { NewEvent } from '@switchyard/contracts'
import { Narrator, type OpenCodeServer, type SessionMessage, type SessionRef } from '@switchyard/opencode'

export type Found = {
  readonly root: readonly SessionMessage[]
  readonly children: readonly (readonly SessionMessage[])[]
  /** Of OpenCode's own process, where the task has one for itself. */
  readonly exitCode?: number
}

export class Transcript {
  readonly #server: OpenCodeServer
  readonly #place: SessionRef
  readonly #narrator = new Narrator()
  readonly #messages = new Map<string, Message>()
  /** Child sessions by id, with the title that says what they are for. */
  readonly #children = new Map<string, string>()

  constructor(server: OpenCodeServer, place: SessionRef) {
    this.#server = server
    this.#place = place
  }

  /** The task's sessions: the root and all subagents seen so far. */
  get sessionIds(): ReadonlySet<string> {
    return new Set([this.#place.sessionId, ...this.#children.keys()])
  }

  isRoot(sessionId: string): boolean {
    return sessionId === this.#place.sessionId
  }

  addChild(sessionId: string, title: string): void {
    if (!this.isRoot(sessionId)) this.#children.set(sessionId, title)
  }

  addMessage(message: Message): void {
    this.#messages.set(message.id, message)
  }

  isOfAgent(messageId: string): boolean {
    return this.#messages.get(messageId)?.role === 'assistant'
  }

  /** @returns the part's events, or null where its message is not known and the state must be read again. */
  tell(part: Part): readonly NewEvent[] | null {
    const message = this.#messages.get(part.messageID)
    if (!message) return null
    const child = this.#children.get(part.sessionID)
    return this.#narrator.part(part, message, {
      directory: this.#place.directory,
      ...(this.isRoot(part.sessionID) ? {} : { child: child ?? 'subagent' }),
    })
  }

  /** Reads all messages of the root session and its subagents from the server. */
  async read(signal?: AbortSignal): Promise<Found> {
    const { client } = this.#server
    const given = signal ? { signal } : {}
    const children = await client.children(this.#place, given)
    for (const child of children) this.addChild(child.id, child.title)
    const read = async (sessionId: string): Promise<readonly SessionMessage[]> =>
      await client.messages({ sessionId, directory: this.#place.directory }, given)
    const [root, ...rest] = await Promise.all([read(this.#place.sessionId), ...children.map((child) => read(child.id))])
    for (const message of [root ?? [], ...rest].flat()) this.addMessage(message.info)
    return { root: root ?? [], children: rest }
  }

  /** The events of everything that was read, in the order it happened. */
  tellAll(found: Found): readonly NewEvent[] {
    return [found.root, ...found.children]
      .flat()
      .flatMap((message) => message.parts)
      .flatMap((part) => this.tell(part) ?? [])
  }
}
