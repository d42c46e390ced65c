// Reconstructs the start of a tool call when OpenCode reports only its end.

import type { ToolPart } from '@opencode-ai/sdk/v2'

/** Returns the `running` state that a server would have reported before this ended call, or undefined if it has not ended. */
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
