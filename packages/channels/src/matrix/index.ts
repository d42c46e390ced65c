// The Matrix channel. It is a separate entry point because its library is loaded only if Matrix is configured.

export { MatrixChannel, type MatrixNotification, type Thread, type ThreadStore } from './channel.ts'
export { type Command, parseCommand } from './command.ts'
export type { MatrixMessage } from './content.ts'
export { failureOf } from './failure.ts'
export { block, bold, clip, code, type FormattedText, join, lines, plain } from './formatted-text.ts'
export { Homeserver, type HomeserverOptions } from './homeserver.ts'
export {
  type IncomingEvent,
  MESSAGES_QUERY,
  parseEvent,
  parseMessagesPage,
  parseSync,
  SYNC_FILTER,
  type Sync,
} from './incoming-events.ts'
export { deadlineIn } from './rate-limiter.ts'
export { parseAnswer, parseReaction, type RequestAnswer } from './request-answer.ts'
export { sendReply } from './send-reply.ts'
