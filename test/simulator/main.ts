/**
 * The simulator's command:
 *
 *   --seed S --seeds N   the seeds S … S+N−1; --seed alone: that one; without it they begin at 0
 *   --log                prints what happened (one seed), minimised when it fails
 *   --twice N            every N-th seed is run twice (default 100; 1: all; 0: none)
 *   --jobs J             processes (default: one for each core)
 *   --no-minimise        of a failing seed only the number and what it breaks, as soon as it is found
 *   --keep-going         goes on after a seed that fails, and names each of them
 *   --theme NAME         of these seeds only those that are about it (see themes.ts)
 *   --coverage           counts what was run through; what never was fails
 *
 * Exit codes: 0 no violation, 1 a violation, 2 wrong usage.
 */
import { fork } from 'node:child_process'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { unreachable } from './branches.ts'
import { describe, minimise } from './minimise.ts'
import { planOf } from './plan.ts'
import { simulate, watchRejections } from './simulation.ts'
import type { Failure, Report, Task } from './worker.ts'
import { watchImmediates } from './world.ts'

const chunk = 25
/** A seed leaves some 20 MB behind: in a young generation that is larger, next to nothing of it has to be copied. */
const workerFlags = ['--sparkplug', '--min-semi-space-size=32', '--max-semi-space-size=64']
const minimisingTriesMax = 400

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function usage(problem: string): never {
  process.stderr.write(
    `${problem}\nusage: simulate [--seeds N] [--seed S] [--log] [--twice N] [--jobs J] [--no-minimise] [--keep-going] [--theme NAME] [--coverage]\n`,
  )
  process.exit(2)
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    usage(`--${name} has to be a whole number, not '${text}'`)
  return value
}

function readArguments() {
  try {
    return parseArgs({
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        log: { type: 'boolean', default: false },
        twice: { type: 'string' },
        jobs: { type: 'string' },
        theme: { type: 'string' },
        coverage: { type: 'boolean', default: false },
        'no-minimise': { type: 'boolean', default: false },
        'keep-going': { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return usage((error as Error).message)
  }
}

function toldFailure({ seed, invariant, detail }: Failure): string {
  return `seed ${seed} breaks ${invariant}: ${detail}`
}

/** Prints a failing seed: as short as it gets, with the sequence of what happened. */
async function tell(seed: number): Promise<void> {
  const plan = planOf(seed)
  const first = await simulate(plan, { keepTrace: true })
  if (first.violation === null) {
    say(`seed ${seed} does not fail when it is run alone`)
    return
  }
  say(`seed ${seed} fails (${first.violation.invariant}); looking for the shortest plan that does …`)
  const shortest = await minimise(plan, first.violation.invariant, minimisingTriesMax)
  say(describe(shortest, await simulate(shortest, { keepTrace: true })))
}

async function runOne(seed: number, log: boolean): Promise<number> {
  watchImmediates()
  watchRejections()
  const plan = planOf(seed)
  const result = await simulate(plan, { keepTrace: log })
  const again = await simulate(plan, { keepTrace: false })
  if (result.digest !== again.digest) {
    say(`seed ${seed} left two traces: ${result.digest} and ${again.digest}`)
    return 1
  }
  if (result.violation !== null) {
    await tell(seed)
    return 1
  }
  if (log) say(result.lines.join('\n'))
  say(`seed ${seed}: no violation, ${result.steps} steps, trace ${result.digest.slice(0, 16)}`)
  return 0
}

async function runMany(options: {
  readonly first: number
  readonly count: number
  readonly twiceEvery: number
  readonly jobs: number
  readonly coverage: boolean
  readonly theme: string | null
  readonly minimise: boolean
  readonly keepGoing: boolean
}): Promise<number> {
  const startedAt = performance.now()
  const counts = new Map<string, number>()
  const places = new Map<string, number>()
  let next = options.first
  const end = options.first + options.count
  let [done, runs, steps, virtualMs] = [0, 0, 0, 0]
  const failures: Failure[] = []
  const add = (to: Map<string, number>, from: Readonly<Record<string, number>>) => {
    for (const [name, count] of Object.entries(from)) to.set(name, (to.get(name) ?? 0) + count)
  }
  await Promise.all(
    Array.from(
      { length: Math.min(options.jobs, Math.ceil(options.count / chunk)) },
      () =>
        new Promise<void>((resolve, reject) => {
          const child = fork(fileURLToPath(new URL('./worker.js', import.meta.url)), {
            execArgv: [...process.execArgv, ...workerFlags],
            env: { ...process.env, DAVIT_SIMULATE_COVERAGE: options.coverage ? '1' : '0' },
          })
          const proceed = () => {
            if (next < end && (failures.length === 0 || options.keepGoing)) {
              const count = Math.min(chunk, end - next)
              child.send({
                first: next,
                count,
                twiceEvery: options.twiceEvery,
                theme: options.theme,
                keepGoing: options.keepGoing,
              } satisfies Task)
              next += count
            } else {
              child.send('coverage')
            }
          }
          child.on('message', (message: Report | 'ready' | { readonly places: Record<string, number> }) => {
            if (message === 'ready') return proceed()
            if (typeof message === 'object' && 'places' in message) {
              add(places, message.places)
              child.kill()
              return resolve()
            }
            const report = message as Report
            done += report.done
            runs += report.runs
            steps += report.steps
            virtualMs += report.virtualMs
            add(counts, report.counts)
            for (const failure of report.failures) {
              if (options.keepGoing) say(toldFailure(failure))
              failures.push(failure)
            }
            proceed()
          })
          child.on('error', reject)
          child.on('exit', (code, signal) => {
            if (signal !== 'SIGTERM') reject(new Error(`a worker ended with ${signal ?? code}`))
          })
        }),
    ),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  const [found] = failures.sort((left, right) => left.seed - right.seed)
  if (found !== undefined && !options.keepGoing) {
    say(toldFailure(found))
    if (!options.minimise) return 1
    watchImmediates()
    watchRejections()
    await tell(found.seed)
    return 1
  }
  const outcome = failures.length === 0 ? 'no violation' : `${failures.length} violations`
  say(
    `${done} seeds (${options.first} to ${end - 1}), ${runs} runs, ${steps} steps, ${Math.round(virtualMs / 3_600_000)} virtual hours in ${seconds.toFixed(1)} s: ${outcome}`,
  )
  say(`${((seconds * 1_000 * options.jobs) / Math.max(1, runs)).toFixed(1)} ms a run and core`)
  for (const [name, count] of [...counts].sort()) say(`  ${name}: ${count}`)
  if (!options.coverage) return failures.length === 0 ? 0 : 1
  const never = [...places].filter(([, count]) => count === 0).map(([name]) => name)
  for (const [name, count] of [...places].sort()) say(`  reached ${name}: ${count}`)
  const missing = never.filter((name) => unreachable[name] === undefined)
  const wrong = Object.keys(unreachable).filter((name) => !never.includes(name))
  for (const name of missing) say(`never reached: ${name}`)
  for (const name of wrong) say(`said to be out of reach, but is not: ${name}`)
  return missing.length + wrong.length + failures.length === 0 ? 0 : 1
}

const given = readArguments()
const first = wholeNumber('seed', given.seed, 0)
const jobs = Math.max(1, wholeNumber('jobs', given.jobs, os.availableParallelism()))
if (given.seeds === undefined && given.seed === undefined) usage('--seeds or --seed is needed')
process.exitCode =
  given.seeds === undefined
    ? await runOne(first, given.log)
    : await runMany({
        first,
        count: wholeNumber('seeds', given.seeds, 1),
        twiceEvery: wholeNumber('twice', given.twice, 100),
        jobs,
        coverage: given.coverage,
        theme: given.theme ?? null,
        minimise: !given['no-minimise'],
        keepGoing: given['keep-going'],
      })
