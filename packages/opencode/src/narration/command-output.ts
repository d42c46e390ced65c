// Summarizes the output of a command in one line.

import { oneLine } from './text.ts'

const META = /<shell_metadata>([\s\S]*?)<\/shell_metadata>/

/** Returns why OpenCode stopped a command, or undefined when the command exited by itself. */
export const interruptionOf = (output: string): string | undefined => {
  const meta = META.exec(output)?.[1]
  if (meta === undefined) return undefined
  const timeout = /exceeding timeout (\d+) ?ms/.exec(meta)?.[1]
  if (timeout !== undefined) return `timed out after ${Number(timeout) / 1000} s`
  if (/aborted/i.test(meta)) return 'aborted'
  return oneLine(meta, 120)
}

/** Returns the most useful line: the totals of a test run, the first error of a failed command, or the last line. */
export const summaryLineOf = (output: string, failed: boolean): string => {
  const text = output.replace(META, '').trim()
  if (text === '' || text === '(no output)') return ''
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const line = testTotals(lines) ?? (failed ? lines.find(isError) : undefined) ?? lines.at(-1) ?? ''
  return oneLine(line, 160)
}

const isError = (line: string): boolean =>
  /\b(?:error|fail(?:ed|ure)?|fatal|panic|exception|not found|cannot|denied)\b/i.test(line)

// node --test ends with "ℹ pass 1" and "ℹ fail 0" (or "# pass 1"); others print "1 failed" and "2 passed" on one line.
const testTotals = (lines: readonly string[]): string | undefined => {
  const tail = lines.slice(-40)
  const figure = (word: string) =>
    tail
      .map((line) => new RegExp(`^\\W{0,20}${word} (\\d+)$`).exec(line.trim())?.[1])
      .find((found) => found !== undefined)
  const [pass, fail] = [figure('pass'), figure('fail')]
  if (pass !== undefined && fail !== undefined) return `${pass} passed, ${fail} failed`
  return tail.findLast((line) => /\b\d+ (?:tests? )?(?:passed|failed)\b/i.test(line) && !/test files/i.test(line))
}
