// The beginning of a tool's call, where OpenCode tells only its end.

import type { ToolPart } from '@opencode-ai/sdk/v2'

/** The state in which a server would have told this call before: what ran can be told only once it has ended. */
export const asRunning = (part: ToolPart): ToolPart | undefined => {
  const { state } = part
  if (state.status !== 'completed' && state.status !== 'error') return undefined
  return {
    ...part,
    state: {
      status: 'running',
      input: state.input,
      title: state.status === 'completed' ? state.title : '',
      metadata: {},
      time: { start: state.time.start },
    },
  }
}
