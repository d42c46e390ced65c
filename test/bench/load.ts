// Callers that each send one request after another, and how long each took.

export type Load = { readonly callers: number; readonly calls: number }

/** @returns ms of every call, in no order. */
export const measureCalls = async (
  { callers, calls }: Load,
  call: (caller: number) => Promise<void>,
): Promise<readonly number[]> => {
  const taken: number[] = []
  let left = calls
  const work = async (caller: number) => {
    while (left > 0) {
      left -= 1
      const began = performance.now()
      await call(caller)
      taken.push(performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)))
  return taken
}
