// Errors of webhooks and deliveries.

import type { ErrorKind } from './kind.ts'

export const notificationErrors = {
  webhook_not_found: {
    status: 404,
    retryable: false,
    hint: "Check the webhook's id; GET /webhooks lists those that your key created.",
  },
  delivery_not_found: {
    status: 404,
    retryable: false,
    hint: "Check the delivery's id; GET /deliveries lists those that your key may see.",
  },
  already_delivered: { status: 409, retryable: false, hint: 'Nothing to do: the target has confirmed it.' },
} as const satisfies Record<string, ErrorKind>
