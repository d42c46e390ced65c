// Patterns of permissions, as OpenCode writes them.

/** Returns whether a pattern matches a text. `*` stands for any text. */
export const matchesPattern = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`, 's').test(text)
