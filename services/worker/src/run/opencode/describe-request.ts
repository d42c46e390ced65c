// A permission request or a question of OpenCode, as a person reads it.

import type { PermissionRequest, QuestionRequest } from '@opencode-ai/sdk/v2'
import type { TaskRequest } from '@switchyard/contracts'

export type OpenCodeRequest =
  | { readonly kind: 'permission'; readonly request: PermissionRequest }
  | { readonly kind: 'question'; readonly request: QuestionRequest }

const MAX_TITLE = 500

type Description = Pick<TaskRequest, 'kind' | 'title' | 'permission' | 'patterns' | 'questions'>

export const describeRequest = ({ kind, request }: OpenCodeRequest): Description => {
  if (kind === 'permission') {
    const { permission, patterns } = request
    const what = patterns.filter((pattern) => pattern !== '*').join(', ')
    return {
      kind,
      title: `May the agent use ${permission}${what ? `: ${what}` : ''}?`.slice(0, MAX_TITLE),
      permission,
      patterns: [...patterns],
      questions: [],
    }
  }
  return {
    kind,
    title: request.questions
      .map((question) => question.question)
      .join(' ')
      .slice(0, MAX_TITLE),
    permission: null,
    patterns: [],
    questions: request.questions.map((question) => ({
      question: question.question,
      header: question.header ?? null,
      options: question.options.map((option) => ({ label: option.label, description: option.description ?? null })),
      multiple: question.multiple ?? false,
    })),
  }
}
