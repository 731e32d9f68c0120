/**
 * Explores every state that a scenario can reach, breadth first, so that a violation is found by a shortest way.
 *
 * Two states are the same when the store is, what is on its way is, what faults are left is, and each writer stands at
 * the same place of its history since its process began, from the same durable state. Since a writer's continuation is
 * a function of exactly that, equal states have equal futures, and each is explored once.
 *
 * Some orders are not told apart, since nobody could:
 * - requests that touch only what no other writer knows yet, or what never changes, are part of the step before
 *   (`writer.ts`); where uploads are the matter, a scenario follows them;
 * - a pause is no step: the request after it may be put off for as long as one likes anyway;
 * - whoever has something to do sets off at once, and whoever crashes starts again at once: up to its first request
 *   nobody notices, and that may be put off. A machine that never comes back is one that takes no further step;
 * - a crash between two requests finds the machine as one of its transactions left it; each of these is tried.
 *
 * Agreement: of every state explored it is worked out, backwards from the states in which all is done, whether steps in
 * which nothing goes wrong lead there; and the same without the steps of any one writer, which may be gone for ever.
 */
import { isAgreed, type Judge, violationOf } from './judge.ts'
import type { Faults } from './scenario.ts'
import { type Rules, type Step, stepsFrom, textOf, type World } from './world.ts'

export interface Exploration {
  readonly states: number
  readonly steps: number
  /** States in which all is done. */
  readonly agreed: number
  /** `null`: none. */
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | null
  /** Every state was explored. */
  readonly isComplete: boolean
  /** How often it was met in a step: forks healed and the like. */
  readonly met: Readonly<Record<string, number>>
}

export interface Bounds {
  readonly statesMax: number
  /** Asked now and then; ends the search. */
  readonly isOver: () => boolean
  readonly onProgress?: (states: number, waiting: number) => void
}

interface Edge {
  readonly from: number
  readonly to: number
  readonly writer: number | null
}

export async function explore(rules: Rules, judge: Judge, first: Step, bounds: Bounds): Promise<Exploration> {
  const ids = new Map<string, number>()
  const cameFrom: number[] = []
  const stepTexts: string[] = []
  const edges: Edge[] = []
  const writers = first.world.writers.map((_, index) => index)
  /** States in which all, or all but one writer, are done. */
  const agreed: number[] = []
  const agreedWithout: number[][] = writers.map(() => [])
  const met: Record<string, number> = {}
  const names = new Interner()
  let steps = 0
  let queue: { readonly id: number; readonly world: World }[] = []

  const result = (violation: Exploration['violation'], isComplete: boolean): Exploration => ({
    states: ids.size,
    steps,
    agreed: agreed.length,
    violation,
    isComplete,
    met,
  })
  const traceTo = (id: number): string[] => {
    const trace: string[] = []
    for (let at = id; at > 0; at = cameFrom[at] as number) trace.unshift(stepTexts[at] as string)
    return trace
  }
  const enter = (step: Step, from: number): { readonly id: number; readonly isNew: boolean } => {
    const key = keyOf(step.world, names)
    const known = ids.get(key)
    if (known !== undefined) return { id: known, isNew: false }
    const id = ids.size
    ids.set(key, id)
    cameFrom[id] = from
    stepTexts[id] = step.text
    if (isAgreed(judge, step.world, null)) agreed.push(id)
    for (const writer of writers) if (isAgreed(judge, step.world, writer)) agreedWithout[writer]?.push(id)
    queue.push({ id, world: step.world })
    return { id, isNew: true }
  }

  const wrong = violationOf(judge, first)
  if (wrong !== null) return result({ what: wrong, trace: [] }, false)
  enter(first, 0)
  while (queue.length > 0) {
    const layer = queue
    queue = []
    for (const { id, world } of layer) {
      for (const step of await stepsFrom(rules, world)) {
        steps += 1
        for (const { kind } of step.told) met[kind] = (met[kind] ?? 0) + 1
        for (const { code } of step.errors) met[code] = (met[code] ?? 0) + 1
        const what = violationOf(judge, step)
        if (what !== null) return result({ what, trace: [...traceTo(id), step.text] }, false)
        const entered = enter(step, id)
        if (step.isPlain) edges.push({ from: id, to: entered.id, writer: step.writer })
      }
      if (id % 1024 === 0) bounds.onProgress?.(ids.size, queue.length)
      if (ids.size >= bounds.statesMax || (id % 64 === 0 && bounds.isOver())) return result(null, false)
    }
  }
  for (const leftOut of [null, ...(writers.length > 1 ? writers : [])]) {
    const goals = leftOut === null ? agreed : (agreedWithout[leftOut] as number[])
    const stuck = firstStuck(ids.size, edges, goals, leftOut)
    if (stuck === null) continue
    const who =
      leftOut === null ? 'all agree' : `the others agree when writer ${leftOut + 1} never acts again`
    return result({ what: `no way leads from here to a state in which ${who}`, trace: traceTo(stuck) }, true)
  }
  return result(null, true)
}

/** The first state from which no goal can be reached; `null` when every one can. */
function firstStuck(
  count: number,
  edges: readonly Edge[],
  goals: readonly number[],
  leftOut: number | null,
): number | null {
  const starts = new Int32Array(count + 1)
  const used = edges.filter(({ writer }) => leftOut === null || writer !== leftOut)
  for (const { to } of used) starts[to + 1] = (starts[to + 1] as number) + 1
  for (let index = 0; index < count; index++)
    starts[index + 1] = (starts[index + 1] as number) + (starts[index] as number)
  const sources = new Int32Array(used.length)
  const next = starts.slice()
  for (const { from, to } of used) {
    const at = next[to] as number
    next[to] = at + 1
    sources[at] = from
  }
  const reaches = new Uint8Array(count)
  const stack = [...goals]
  for (const goal of goals) reaches[goal] = 1
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (let index = starts[at] as number; index < (starts[at + 1] as number); index++) {
      const source = sources[index] as number
      if (reaches[source] === 1) continue
      reaches[source] = 1
      stack.push(source)
    }
  }
  const stuck = reaches.indexOf(0)
  return stuck < 0 ? null : stuck
}

/** Short numbers for long names. */
class Interner {
  private readonly numbers = new Map<string, number>()

  of(text: string): string {
    let number = this.numbers.get(text)
    if (number === undefined) {
      number = this.numbers.size
      this.numbers.set(text, number)
    }
    return number.toString(36)
  }
}

const faultNames: readonly (keyof Faults)[] = [
  'crashes',
  'losses',
  'lost',
  'late',
  'falseSuccesses',
  'falseFailures',
  'serverCrashes',
  'ghosts',
  'cuts',
  'unanswered',
  'collections',
]

function keyOf(
  { store, writers, late, halves, left, collection, acknowledged }: World,
  names: Interner,
): string {
  const list = (texts: readonly string[]) => texts.map((text) => names.of(text)).join(',')
  const objects = [...store.objects].map(([name, state]) => `${names.of(name)}${state[0]}`).sort()
  return [
    writers
      .map(({ at, waits, span }) => {
        const seen = span === null ? '' : `[${list(span.sure)};${list(span.maybe)}]`
        return `${at.id.toString(36)}${waits ? '~' : ''}${seen}`
      })
      .join(' '),
    list(store.heads),
    list(store.locks),
    objects.join(','),
    list(late.map(textOf)),
    halves
      .map(({ source, target, writer }) => `${names.of(source)}>${names.of(target)}@${writer ?? ''}`)
      .join(','),
    faultNames.map((fault) => left[fault]).join('.'),
    collection === null ? '' : `${names.of(collection.drop)}:${list(collection.garbage)}`,
    list(acknowledged),
  ].join('|')
}
