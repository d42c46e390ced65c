// How the worker reaches git repositories.

import { z } from 'zod'
import { certificatesFile } from '../certificates.ts'
import { gitTokens, gitTokensFile } from '../git-tokens.ts'
import { setting } from './setting.ts'
import { boolean, parsed } from './types.ts'

export const git = {
  title: 'Repositories',
  settings: {
    GIT_HTTPS_TOKENS: setting(
      parsed(
        z.preprocess((value) => value ?? '', gitTokens),
        '`host=token` or `host=user:token`, separated by commas',
      ),
      {
        description: 'Tokens for private repositories over https. Only the worker has them.',
        example: 'github.com=<token>,git.example.org=deploy:<token>',
        isSecret: true,
        services: ['worker'],
      },
    ),
    GIT_HTTPS_TOKENS_FILE: setting(parsed(gitTokensFile, 'a file with one entry per line'), {
      description: 'A file of the same entries (`npm start` only).',
      services: [],
    }),
    GIT_CA_FILE: setting(parsed(certificatesFile, 'a PEM file'), {
      description: 'Certificates that replace the public ones for git hosts over https.',
      default: 'the public ones',
      example: './git-ca.pem',
      services: ['worker'],
      isMappedInStack: true,
    }),
    GIT_SSH_TRUST_NEW_HOSTS: setting(boolean(false), {
      description:
        'For repositories with a deploy key: trust the key an unknown ssh host shows first, and only that one afterwards.',
      services: ['worker'],
    }),
  },
} as const
