// Message and part ids in OpenCode's format.

export { newOpenCodeMessageId as newMessageId } from '@switchyard/contracts'

/**
 * Returns the id of a message's n-th part, always the same for the same message. A prompt that is sent twice then replaces
 * its parts instead of adding to them (measured: one turn, one text).
 */
export const partId = (messageId: string, index = 0): string =>
  `prt_${messageId.replace(/^msg_/, '')}${index === 0 ? '' : index.toString(36)}`
