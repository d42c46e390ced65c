// What a run knows about the messages of its sessions: enough to turn a part into events, and to
// read everything again.

import type { Message, Part } from '@opencode-ai/sdk/v2'
import type { NewEvent } from '@switchyard/contracts'
import { Narrator, type OpenCodeServer, type SessionMessage, type SessionRef } from '@switchyard/opencode'
import type { Findings } from '../verdict.ts'

export class Transcript {
  readonly #server: OpenCodeServer
  readonly #ref: SessionRef
  readonly #narrator = new Narrator()
  readonly #messages = new Map<string, Message>()
  /** Child sessions by id, with the title that says what they are for. */
  readonly #children = new Map<string, string>()

  constructor(server: OpenCodeServer, ref: SessionRef) {
    this.#server = server
    this.#ref = ref
  }

  /** The task's sessions: the root and all subagents seen so far. */
  get sessionIds(): ReadonlySet<string> {
    return new Set([this.#ref.sessionId, ...this.#children.keys()])
  }

  isRoot(sessionId: string): boolean {
    return sessionId === this.#ref.sessionId
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

  /**
   * Returns the events of a part, or null if its message is unknown and the state must be read
   * again.
   */
  narrate(part: Part): readonly NewEvent[] | null {
    const message = this.#messages.get(part.messageID)
    if (!message) return null
    const child = this.#children.get(part.sessionID)
    return this.#narrator.narrate(part, message, {
      directory: this.#ref.directory,
      ...(this.isRoot(part.sessionID) ? {} : { child: child ?? 'subagent' }),
    })
  }

  /** Reads all messages of the root session and its subagents from the server. */
  async read(signal?: AbortSignal): Promise<Findings> {
    const { client } = this.#server
    const given = signal ? { signal } : {}
    const children = await client.children(this.#ref, given)
    for (const child of children) this.addChild(child.id, child.title)
    const read = async (sessionId: string): Promise<readonly SessionMessage[]> =>
      await client.messages({ sessionId, directory: this.#ref.directory }, given)
    const [root, ...rest] = await Promise.all([read(this.#ref.sessionId), ...children.map((child) => read(child.id))])
    for (const message of [root ?? [], ...rest].flat()) this.addMessage(message.info)
    return { root: root ?? [], children: rest }
  }

  /** Returns the events of everything that was read, in the order in which it happened. */
  narrateAll(findings: Findings): readonly NewEvent[] {
    return [findings.root, ...findings.children]
      .flat()
      .flatMap((message) => message.parts)
      .flatMap((part) => this.narrate(part) ?? [])
  }
}
