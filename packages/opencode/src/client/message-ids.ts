// Message and part ids in OpenCode's own format.

export { newOpenCodeMessageId as newMessageId, type OpenCodeMessageId } from '@switchyard/contracts'

/**
 * The id of the n-th part of a message: always the same for the same message. A prompt that is sent twice then replaces
 * its own parts instead of adding to them, which makes sending it again harmless (measured: one turn, one text).
 */
export const partId = (messageId: string, index = 0): string =>
  `prt_${messageId.replace(/^msg_/, '')}${index === 0 ? '' : index.toString(36)}`
