/**
 * A sample of all crash points: real processes of the built command, killed in the middle of what they do. All of them:
 * scripts/crash-points.mjs, which runs this file, too.
 */
import './hurry.mjs'
import { availableParallelism } from 'node:os'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { Chance } from './chance.ts'
import type { CrashAt } from './killed-command.ts'
import {
  ownSteps,
  type Point,
  pointsOf,
  type Rehearsed,
  type Result,
  rehearse,
  runPoint,
} from './run-point.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { Stage } from './stage.ts'

const { CRASH_POINTS, CRASH_POINTS_SCENARIO = '', CRASH_POINTS_INSIDE } = process.env
const number = (name: string, otherwise: number) => Number(process.env[`CRASH_POINTS_${name}`] ?? otherwise)
const isAll = CRASH_POINTS === 'all'
const seed = number('SEED', 1)
const every = Math.max(1, number('EVERY', 1))
const jobs = Math.max(1, number('JOBS', availableParallelism()))
const recoveries = number('RECOVERY', 0)
const restartsAsProcess = isAll && CRASH_POINTS_INSIDE === undefined
/** Where not all of them are tried: so many scenarios, and so many points of each. */
const sample = { scenarios: 4, points: 4 }

// Each test runs the command some dozens of times.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 })

let stage: Stage
let hasFailed = false
beforeAll(async () => {
  stage = await Stage.open()
})
afterAll(() => stage.close({ keep: hasFailed }))

const named = scenarios.filter(({ name }) => name.startsWith(CRASH_POINTS_SCENARIO))
const chosen = isAll ? named : new Chance(seed).some(named, sample.scenarios)

/** Steps at which something was found once: their points are always tried. */
const regressions: readonly { readonly scenario: string; readonly step: RegExp }[] = [
  // A torn configuration was refused by every later command.
  { scenario: 'init', step: /davit\.yml/ },
]

for (const { scenario, step } of isAll ? [] : regressions) {
  it(`${scenario}: killed at a step like ${step}, it goes on by itself`, async () => {
    const rehearsed = await rehearse(scenarios.find(({ name }) => name === scenario) as Scenario, stage)
    const points = pointsOf(rehearsed.steps.filter(({ what }) => step.test(what)))
    expect(points).not.toEqual([])
    expectWell(await tryAll(rehearsed, points, { restartsAsProcess: false }))
  })
}

for (const scenario of chosen) {
  it(`${scenario.name}: ${scenario.about}; killed, it goes on by itself`, async () => {
    const chance = new Chance(seed * 1_000 + scenarios.indexOf(scenario))
    const started = performance.now()
    const rehearsed = await rehearse(scenario, stage)
    const all = pointsOf(ownSteps(rehearsed))
    const points = isAll ? everyNth(all, chance) : chance.some(all, sample.points)
    const results = await tryAll(rehearsed, points, { restartsAsProcess })
    for (const first of isAll ? chance.some(all, recoveries) : []) {
      const once = await tryAll(rehearsed, [first], { restartsAsProcess: true })
      const seconds = once.flatMap(({ recovery }) => everyNth(pointsOf(recovery), chance))
      const pairs = seconds.map((then) => ({ ...first, then }))
      results.push(...once, ...(await tryAll(rehearsed, pairs, { restartsAsProcess })))
    }
    if (isAll) {
      const took = Math.round((performance.now() - started) / 1_000)
      const count = (is: (result: Result) => boolean) => results.filter(is).length
      say(
        `${scenario.name}: ${rehearsed.steps.length} steps, ${all.length} points; ${results.length} tried in ${took} s, ${count(isMissed)} of them never reached, ${count(isFailed)} failed`,
      )
    }
    expectWell(results)
  })
}

function everyNth(points: readonly CrashAt[], chance: Chance): CrashAt[] {
  const first = chance.below(every)
  return points.filter((_, index) => index % every === first)
}

/** Several at once. */
async function tryAll(
  rehearsed: Rehearsed,
  points: readonly Point[],
  options: { readonly restartsAsProcess: boolean },
): Promise<Result[]> {
  const waiting = [...points]
  const results: Result[] = []
  const work = async () => {
    for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
      const result = await runPoint(rehearsed, point, stage, options)
      results.push(result)
      if (!isFailed(result)) continue
      hasFailed = true
      if (isAll) say(`FAILED ${rehearsed.scenario.name} ${report(result)}`)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return results
}

const isFailed = ({ problems }: Result) => problems.length > 0
/** Steps are not quite the same each time: the last ones may not come. */
const isMissed = ({ step }: Result) => step === null

function expectWell(results: readonly Result[]): void {
  expect(results.filter(isFailed).map(report).join('\n')).toBe('')
  // Who kills nobody finds nothing.
  expect(results.filter(isMissed).length).toBeLessThanOrEqual(results.length / 4)
}

function report({ point, step, problems, folder }: Result): string {
  const then = point.then === undefined ? '' : `, then ${point.then.k} ${point.then.mode}`
  return `killed at ${point.k} ${point.mode}${then} (${step?.what ?? 'it had ended before'}); see ${folder}\n  ${problems.join('\n  ')}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
