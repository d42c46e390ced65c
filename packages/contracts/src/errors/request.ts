// Errors of requests: what was sent, and who sent it.

import type { ErrorKind } from './kind.ts'

export const requestErrors = {
  invalid_request: {
    status: 400,
    retryable: false,
    hint: 'Correct the fields that the message names and send the call again.',
  },
  malformed_json: {
    status: 400,
    retryable: false,
    hint: 'Send a body that is valid JSON, with Content-Type: application/json.',
  },
  payload_too_large: {
    status: 413,
    retryable: false,
    hint: 'Send a smaller body; put long material into a file of the repository and name it in the description.',
  },
  unsupported_media_type: { status: 415, retryable: false, hint: 'Send Content-Type: application/json.' },
  unauthorized: {
    status: 401,
    retryable: false,
    hint: 'Send Authorization: Bearer <token> with a token from SWITCHYARD_API_KEYS.',
  },
  forbidden: { status: 403, retryable: false, hint: 'Use a key whose role allows this call.' },
  origin_not_allowed: {
    status: 403,
    retryable: false,
    hint: 'Without API keys only loopback clients are served; set SWITCHYARD_API_KEYS to serve others.',
  },
  not_found: { status: 404, retryable: false, hint: 'GET /openapi.json lists every route.' },
  method_not_allowed: { status: 405, retryable: false, hint: 'GET /openapi.json lists the methods of every route.' },
  not_supported: {
    status: 400,
    retryable: false,
    hint: 'This installation does not support it; the message says why.',
  },
  call_timeout: {
    status: 504,
    retryable: true,
    hint: 'The work continues: read the task, the session or the project before you repeat the call.',
  },
} as const satisfies Record<string, ErrorKind>
