// Clients of the 2025 protocol: one server and one JSON answer for each request. Over an event stream, as the library
// would answer them, an api that dies leaves its clients waiting for the answer until their own timeout: the stream ends,
// and nothing tells them that no answer will come. A broken JSON answer fails at once and can be asked for again.

import { type AuthInfo, type Server, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import { LIMITS } from '@switchyard/contracts'

export const answerLegacy = async (request: Request, server: Server, authInfo: AuthInfo): Promise<Response> => {
  const transport = new WebStandardStreamableHTTPServerTransport({
    enableJsonResponse: true,
    maxRequestBodySize: LIMITS.bodyBytes,
  })
  await server.connect(transport)
  // Ends the calls of a client that is gone.
  request.signal.addEventListener('abort', () => void server.close(), { once: true })
  try {
    return await transport.handleRequest(request, { authInfo })
  } finally {
    await server.close()
  }
}
