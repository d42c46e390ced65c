// Calls about the agent's permission requests and questions.

import type { PermissionRequest, QuestionRequest } from '@opencode-ai/sdk/v2'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import type { Call, OpenCodeCallOptions, SdkResult } from './call.ts'
import type { Sdk } from './sdk-client.ts'

export type PermissionReply =
  | { readonly reply: 'once' | 'always' }
  /** With a message the model reads it and continues; without one the turn ends, and reports no error. */
  | { readonly reply: 'reject'; readonly message?: string | undefined }

export type RequestRef = { readonly requestId: string; readonly directory: string }

export type RequestCalls = ReturnType<typeof requestCalls>

export const requestCalls = (call: Call, sdk: Sdk) => {
  const answer = async <T>(
    what: string,
    options: OpenCodeCallOptions,
    act: (signal: AbortSignal) => Promise<SdkResult<T>>,
  ): Promise<void> => {
    try {
      await call(what, 'unsent', options, act)
    } catch (error) {
      if (isSwitchyardError(error) && error.context.status === 404) {
        throw new SwitchyardError('request_not_found', error.message, { cause: error })
      }
      throw error
    }
  }

  return {
    pendingPermissions: (directory: string, options: OpenCodeCallOptions = {}): Promise<readonly PermissionRequest[]> =>
      call('list permission requests', 'always', options, (signal) => sdk().permission.list({ directory }, { signal })),

    pendingQuestions: (directory: string, options: OpenCodeCallOptions = {}): Promise<readonly QuestionRequest[]> =>
      call('list questions', 'always', options, (signal) => sdk().question.list({ directory }, { signal })),

    /** @throws SwitchyardError `request_not_found` when the request was answered already, or was lost in a restart */
    replyPermission: async (
      { requestId, directory }: RequestRef,
      reply: PermissionReply,
      options: OpenCodeCallOptions = {},
    ): Promise<void> => {
      await answer('reply to the permission request', options, (signal) =>
        sdk().permission.reply(
          {
            requestID: requestId,
            directory,
            reply: reply.reply,
            ...(reply.reply === 'reject' && reply.message !== undefined ? { message: reply.message } : {}),
          },
          { signal },
        ),
      )
    },

    /**
     * @param answers - for each question the chosen labels, or free text
     * @throws SwitchyardError `request_not_found`, as for permissions
     */
    replyQuestion: async (
      { requestId, directory }: RequestRef,
      answers: readonly (readonly string[])[],
      options: OpenCodeCallOptions = {},
    ): Promise<void> => {
      await answer('answer the question', options, (signal) =>
        sdk().question.reply(
          { requestID: requestId, directory, answers: answers.map((labels) => [...labels]) },
          { signal },
        ),
      )
    },

    /** @throws SwitchyardError `request_not_found`, as for permissions */
    rejectQuestion: async ({ requestId, directory }: RequestRef, options: OpenCodeCallOptions = {}): Promise<void> => {
      await answer('reject the question', options, (signal) =>
        sdk().question.reject({ requestID: requestId, directory }, { signal }),
      )
    },
  }
}
