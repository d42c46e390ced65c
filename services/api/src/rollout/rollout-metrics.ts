// Prometheus metrics of the rollout: the figures of GET /rollout, read at scrape time.

import type { ComparisonRow, RolloutReport } from '@switchyard/contracts'
import { Gauge, type Registry } from 'prom-client'

const SPANS = ['window', 'since_change'] as const
const TERMINAL = ['completed', 'failed', 'timeout', 'cancelled'] as const
const QUANTILES = [
  ['0.5', 'p50'],
  ['0.95', 'p95'],
] as const

/** Time that one report is reused, ms, because a scrape reads all gauges at once. */
const FRESH_MS = 1_000

/** Adds the metrics. @param report - called at scrape time; if it fails, the series are omitted */
export const addRolloutMetrics = (registry: Registry, report: () => Promise<RolloutReport>): void => {
  let last: { readonly at: number; readonly report: Promise<RolloutReport | undefined> } | undefined
  const read = (): Promise<RolloutReport | undefined> => {
    if (!last || performance.now() - last.at > FRESH_MS)
      last = { at: performance.now(), report: report().catch(() => undefined) }
    return last.report
  }

  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    fill: (set: (labels: Record<L, string>, value: number) => void, report: RolloutReport) => void,
  ): void => {
    new Gauge<L>({
      name: `switchyard_rollout_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      async collect() {
        this.reset()
        const found = await read()
        if (found) fill((labels, value) => this.set(labels, value), found)
      },
    })
  }

  gauge('percent', 'Configured percentage of agents whose tasks go to OpenCode servers', [], (set, { percent }) =>
    set({}, percent),
  )
  gauge('share_percent', 'Share of new tasks that a side gets now', ['mode', 'pool'], (set, { sides }) => {
    for (const { mode, pool, share } of sides) set({ mode, pool: pool ?? '' }, share)
  })
  gauge('live_workers', 'Live workers that serve a side', ['mode', 'pool'], (set, { sides }) => {
    for (const { mode, pool, live_workers } of sides) set({ mode, pool: pool ?? '' }, live_workers)
  })
  gauge('open_tasks', 'Queued and running tasks of a side', ['mode', 'pool', 'state'], (set, { sides }) => {
    for (const { mode, pool, queued, running } of sides) {
      set({ mode, pool: pool ?? '', state: 'queued' }, queued)
      set({ mode, pool: pool ?? '', state: 'running' }, running)
    }
  })
  gauge(
    'breaker',
    'State of the breaker for the failing side: 1 open, 0.5 half open, 0 closed',
    ['mode'],
    (set, { breaker: { state, side } }) => {
      const value = { closed: 0, half_open: 0.5, open: 1 }[state]
      for (const mode of ['opencode', 'docker']) set({ mode }, mode === side ? value : 0)
    },
  )

  const compared = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    fill: (set: (labels: Record<L, string>, value: number) => void, side: ComparisonRow) => void,
  ): void =>
    gauge(name, help, ['span', 'mode', 'pool', ...labelNames], (set, found) => {
      for (const span of SPANS)
        for (const side of found[span].sides) {
          const labels = { span, mode: side.mode, pool: side.pool ?? '' }
          fill(
            (more, value) => set({ ...labels, ...more } as Record<L | 'span' | 'mode' | 'pool', string>, value),
            side,
          )
        }
    })

  compared('tasks', 'Ended tasks, by status', ['status'], (set, side) => {
    for (const status of TERMINAL) set({ status }, side[status])
  })
  compared('success_ratio', 'Ratio of completed tasks to all that were not cancelled', [], (set, { success_rate }) => {
    if (success_rate !== null) set({}, success_rate)
  })
  compared('infrastructure_failures', 'Tasks that the breaker counts as failures', [], (set, side) =>
    set({}, side.infrastructure_failures),
  )
  compared('errors', 'Tasks that ended with an error, by error code', ['code'], (set, { error_codes }) => {
    for (const [code, times] of Object.entries(error_codes)) set({ code }, times)
  })
  for (const [name, help, field] of [
    ['first_event_seconds', 'Time from acceptance to the first event of the run', 'first_event_ms'],
    ['run_seconds', 'Time from the start by a worker to the end', 'run_ms'],
  ] as const)
    compared(name, help, ['quantile'], (set, side) => {
      for (const [quantile, key] of QUANTILES) {
        const ms = side[field][key]
        if (ms !== null) set({ quantile }, ms / 1_000)
      }
    })
}
