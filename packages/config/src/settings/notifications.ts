// Webhooks, retries and escalation.

import { webhookSecret } from '../parse.ts'
import { setting } from './setting.ts'
import { boolean, DAY, HOUR, MINUTE, milliseconds, parsed, SECOND } from './types.ts'

export const notifications = {
  title: 'Notifications and webhooks',
  settings: {
    WEBHOOK_SECRET: setting(parsed(webhookSecret(), '`whsec_` and 24 to 64 bytes in base64'), {
      description:
        "Signs calls to a task's `callback_url`. Without it they are stored and not sent; `npm start` generates one.",
      example: 'whsec_<base64>',
      isSecret: true,
      services: ['notifier'],
    }),
    WEBHOOK_ALLOW_PRIVATE_TARGETS: setting(boolean(false), {
      description: 'Let webhooks call private, loopback, link-local and metadata addresses.',
      services: ['notifier'],
    }),
    WEBHOOK_TIMEOUT_MS: setting(milliseconds(15 * SECOND, 100, 2 * MINUTE), {
      description: 'How long a webhook may take to answer, redirects included.',
      services: ['notifier'],
    }),
    DELIVERY_RETRY_DELAY_MS: setting(milliseconds(5 * SECOND, 10, HOUR), {
      description:
        'Delay after the first failed delivery; three times as long after each further one, 6 hours at most.',
      services: ['notifier'],
    }),
    DELIVERY_GIVE_UP_MS: setting(milliseconds(3 * DAY, SECOND, 30 * DAY), {
      description: 'Age at which a delivery moves to the dead-letter list.',
      services: ['notifier'],
    }),
    REQUEST_ESCALATION_MS: setting(milliseconds(10 * MINUTE, SECOND, 7 * DAY), {
      description: 'How long a request waits before it is repeated to webhooks with `escalation`.',
      services: ['notifier'],
    }),
  },
} as const
