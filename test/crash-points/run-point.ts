/** One crash point: copy the prepared scene, kill the command there, start again, and look what came of it. */
import { join } from 'node:path'
import { differences, leftovers, type Outcome, settle } from './check.ts'
import { type CrashAt, type Killed, runCounted, type Step } from './killed-command.ts'
import type { Scenario } from './scenario.ts'
import { Scene } from './scene.ts'
import type { Stage } from './stage.ts'

/** A scenario that was prepared, and played once without a kill. */
export interface Rehearsed {
  readonly scenario: Scenario
  readonly scene: Scene
  readonly outcome: Outcome
  readonly steps: readonly Step[]
}

export interface Point extends CrashAt {
  /** The next start is killed, too, and the one after that is looked at. */
  readonly then?: CrashAt
}

export interface Result {
  readonly point: Point
  /** The step at which it happened; `null` when the command ended before. */
  readonly step: Step | null
  /** Steps of the next start, where it was a process of its own. */
  readonly recovery: readonly Step[]
  /** Nothing: all is well. */
  readonly problems: readonly string[]
  /** Kept when there are problems. */
  readonly folder: string
}

/** In sync, or in sync but for conflicts: nobody is needed to go on. */
const isAtRest = (code: number | null) => code === 0 || code === 3

function play(
  scenario: Scenario,
  scene: Scene,
  options: { readonly at?: CrashAt | undefined; readonly isRestart?: boolean },
): Promise<Killed> {
  const isRestart = options.isRestart ?? false
  const { drive } = scenario
  const argv = (isRestart ? scenario.restart : undefined) ?? scenario.command
  return runCounted(scene.argumentsOf(scenario.instance, argv(scene)), {
    logFile: join(scene.folder, isRestart ? 'recovery.log' : 'steps.log'),
    at: options.at,
    clock: scenario.clock,
    ...(drive === undefined || isRestart ? {} : { drive: (running) => drive(running, scene) }),
  })
}

/** Prepares a scenario and plays it undisturbed: what comes of that is what has to come of every other way. */
export async function rehearse(scenario: Scenario, stage: Stage): Promise<Rehearsed> {
  const place = stage.place(scenario.name)
  const scene = new Scene(place.folder, place.url)
  await scene.makeFolder('', '')
  await scenario.prepare(scene)
  const copy = await copyOf(scenario, scene, stage)
  const { code, steps, stdout, stderr } = await play(scenario, copy, {})
  const problems: string[] = []
  if (!isAtRest(code)) problems.push(`the undisturbed command ended with ${code}: ${stdout}${stderr}`)
  if (scenario.passes !== undefined && !steps.some(({ what }) => scenario.passes?.test(what)))
    problems.push(`it does not pass a step like ${scenario.passes}`)
  await scenario.finish?.(copy)
  problems.push(...(await leftovers(copy, scenario.instance)))
  const { outcome, problems: found } = await settle(copy)
  problems.push(...found)
  if (problems.length > 0)
    throw new Error(`${scenario.name} undisturbed (${copy.folder}):\n${problems.join('\n')}`)
  await copy.dispose()
  return { scenario, scene, outcome, steps }
}

function copyOf(scenario: Scenario, scene: Scene, stage: Stage): Promise<Scene> {
  const { folder, url } = stage.place(`${scenario.name}-point`)
  return scene.copy(folder, url, { isClone: scenario.isClone === true })
}

/** All points of what was counted. */
export function pointsOf(steps: readonly Step[]): CrashAt[] {
  return steps.flatMap(({ k, modes }) => modes.map((mode) => ({ k, mode })))
}

/**
 * Without the start, which is the same whatever follows: up to the marker with its fresh token. Scenarios that are about
 * a start, or where it is not as ever, keep it.
 */
export function ownSteps({ scenario, steps }: Rehearsed): readonly Step[] {
  if (scenario.isAboutStart === true) return steps
  return steps.slice(steps.findIndex(({ what }) => / rename .*\/marker$/.test(what)) + 1)
}

export async function runPoint(
  rehearsed: Rehearsed,
  point: Point,
  stage: Stage,
  options: { readonly restartsAsProcess: boolean },
): Promise<Result> {
  const { scenario } = rehearsed
  const scene = await copyOf(scenario, rehearsed.scene, stage)
  const problems: string[] = []
  let step: Step | null = null
  let recovery: readonly Step[] = []
  try {
    const killed = await play(scenario, scene, { at: point })
    step = (killed.isKilled ? killed.steps.find(({ k }) => k === point.k) : null) ?? null
    if (!killed.isKilled && !isAtRest(killed.code))
      problems.push(`it was not killed and ended with ${killed.code}: ${killed.stdout}${killed.stderr}`)
    if (point.then !== undefined) {
      const again = await play(scenario, scene, { at: point.then, isRestart: true })
      recovery = again.steps
    }
    const argv = (scenario.restart ?? scenario.command)(scene)
    const restart =
      options.restartsAsProcess || scenario.clock !== undefined
        ? await play(scenario, scene, { isRestart: true })
        : await scene.run(scenario.instance, ...argv)
    if ('steps' in restart && point.then === undefined) recovery = (restart as Killed).steps
    if (!isAtRest(restart.code))
      problems.push(`the next start ended with ${restart.code}: ${restart.stdout}${restart.stderr}`)
    problems.push(...(await leftovers(scene, scenario.instance)))
    await scenario.finish?.(scene)
    const { outcome, problems: found } = await settle(scene)
    problems.push(...found, ...differences(rehearsed.outcome, outcome))
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
  }
  if (problems.length === 0) await scene.dispose()
  return { point, step, recovery, problems, folder: scene.folder }
}
