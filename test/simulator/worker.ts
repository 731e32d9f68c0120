/** Runs the seeds that it is sent, in a process of its own, and tells what came of them. */
import { startCounting } from './coverage.ts'

export interface Task {
  readonly first: number
  readonly count: number
  /** Every so many seeds are run a second time, and have to leave the same trace. 0: none. */
  readonly twiceEvery: number
  /** Seeds about something else are passed over. */
  readonly theme: string | null
  /** Goes on after a seed that fails. */
  readonly keepGoing: boolean
}

export interface Failure {
  readonly seed: number
  readonly invariant: string
  readonly detail: string
}

export interface Report {
  readonly first: number
  readonly done: number
  readonly runs: number
  readonly steps: number
  readonly virtualMs: number
  readonly counts: Readonly<Record<string, number>>
  /** In the order of their seeds; without `keepGoing` one at most. */
  readonly failures: readonly Failure[]
}

const counter = process.env['DAVIT_SIMULATE_COVERAGE'] === '1' ? await startCounting() : null
const { simulate, watchRejections } = await import('./simulation.ts')
const { planOf } = await import('./plan.ts')
const { watchImmediates } = await import('./world.ts')
const { placesToReach } = await import('./coverage.ts')
const { branches } = await import('./branches.ts')
// Before the first seed: a place that is not there any more is told at once.
const places = counter === null ? [] : placesToReach(branches)
watchImmediates()
watchRejections()

async function work(task: Task): Promise<Report> {
  const counts: Record<string, number> = {}
  let [done, runs, steps, virtualMs] = [0, 0, 0, 0]
  const failures: Failure[] = []
  for (let seed = task.first; seed < task.first + task.count; seed++) {
    const plan = planOf(seed)
    if (task.theme !== null && plan.theme !== task.theme) continue
    const result = await simulate(plan, { keepTrace: false })
    runs += 1
    done += 1
    steps += result.steps
    virtualMs += result.virtualMs
    for (const [name, count] of result.counts) counts[name] = (counts[name] ?? 0) + count
    if (result.violation !== null) {
      failures.push({ seed, ...result.violation })
      if (!task.keepGoing) break
    }
    if (task.twiceEvery === 0 || seed % task.twiceEvery !== 0) continue
    const again = await simulate(plan, { keepTrace: false })
    runs += 1
    if (again.digest === result.digest) continue
    failures.push({ seed, invariant: 'determinism', detail: `${result.digest}, then ${again.digest}` })
    if (!task.keepGoing) break
  }
  return { first: task.first, done, runs, steps, virtualMs, counts, failures }
}

process.on('message', (message: Task | 'coverage') => {
  if (message === 'coverage') {
    void (counter?.take(places) ?? Promise.resolve(new Map())).then((counts) =>
      process.send?.({ places: Object.fromEntries(counts) }),
    )
    return
  }
  void work(message).then((report) => process.send?.(report))
})
process.send?.('ready')
