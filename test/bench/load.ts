// Measures calls of several concurrent callers.

export type Load = { readonly callers: number; readonly calls: number }

/**
 * Makes `calls` calls in total. Each caller sends one call after another.
 *
 * @returns the duration of every call in no particular order, ms
 */
export const measureCalls = async (
  { callers, calls }: Load,
  call: (caller: number) => Promise<void>,
): Promise<readonly number[]> => {
  const durations: number[] = []
  let left = calls
  const work = async (caller: number) => {
    while (left > 0) {
      left -= 1
      const began = performance.now()
      await call(caller)
      durations.push(performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)))
  return durations
}
