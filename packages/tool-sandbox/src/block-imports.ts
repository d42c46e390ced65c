// Keeps the server from loading code of a repository. OPENCODE_DISABLE_PROJECT_CONFIG does not: at the first prompt in a
// directory, a newer part of OpenCode 1.18 imports `.opencode/plugin/*` and the `plugins` of its `opencode.json` all the same.

type Build = {
  readonly onLoad: (
    constraints: { readonly filter: RegExp },
    load: () => { readonly contents: string; readonly loader: 'js' },
  ) => void
}

/** The part of Bun, which runs OpenCode, that is used here. */
type Runtime = { readonly plugin: (options: { readonly name: string; setup: (build: Build) => void }) => unknown }

/** Characters with a meaning in a regular expression. */
const SPECIAL = /[\\^$.*+?()[\]{}|]/g

const blocked = new Set<string>()

/** Makes every later import of a file below these directories load an empty module. */
export const blockImports = (directories: readonly string[]): void => {
  const { Bun } = globalThis as { readonly Bun?: Runtime }
  for (const directory of directories) {
    if (blocked.has(directory)) continue
    blocked.add(directory)
    Bun?.plugin({
      name: `no code from ${directory}`,
      setup: (build) =>
        build.onLoad({ filter: new RegExp(`^${directory.replaceAll(SPECIAL, '\\$&')}/`) }, () => ({
          contents: 'export default {}',
          loader: 'js',
        })),
    })
  }
}
