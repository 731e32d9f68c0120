/** The whole system at one moment, and the ways on from there: pure but for running writers on. */
import type { DavitError } from '../../src/model/errors.ts'
import { headName } from '../../src/remote/layout.ts'
import type { ChangesetBook } from './changeset-book.ts'
import { dropOn, garbageIn, stands } from './collector.ts'
import type { DurableState, DurableStates } from './durable-states.ts'
import type { Arrival, Histories, Place, Rest } from './histories.ts'
import type { Faults, Scenario } from './scenario.ts'
import {
  type Answer,
  answerKey,
  copy,
  execute,
  noAnswer,
  type StepRequest,
  type Store,
  status,
  withObject,
  without,
} from './store.ts'
import { type Beginning, letterOf, type Told } from './writer.ts'

export interface WriterAt {
  readonly at: Place | Rest
  /** Its MOVE has been executed by half. */
  readonly waits: boolean
  /** What was in `version/` all the while since it asked, and what was there at any time since. */
  readonly span: { readonly sure: readonly string[]; readonly maybe: readonly string[] } | null
}

/** A MOVE of which the deletion is still to come. */
export interface Half {
  readonly source: string
  readonly target: string
  /** Who waits for the answer. */
  readonly writer: number | null
}

export interface World {
  readonly store: Store
  readonly writers: readonly WriterAt[]
  /** Requests that may still be executed, at any time. */
  readonly late: readonly StepRequest[]
  readonly halves: readonly Half[]
  readonly left: Faults
  /** A collection under way: the drop's name as head, and what it names. */
  readonly collection: { readonly drop: string; readonly garbage: readonly string[] } | null
  /** Names of heads whose commit was acknowledged. */
  readonly acknowledged: readonly string[]
}

export interface Step {
  readonly text: string
  readonly world: World
  /** Nothing went wrong in it. */
  readonly isPlain: boolean
  /** Who acts; `null`: the server. */
  readonly writer: number | null
  readonly told: readonly (Told & { readonly writer: number })[]
  readonly errors: readonly DavitError[]
}

export interface Rules {
  readonly scenario: Scenario
  readonly histories: Histories
  readonly durables: DurableStates
  readonly book: ChangesetBook
  /** The same state with the writer's further edit in it. */
  readonly editAgain: (state: DurableState, beginning: Beginning) => DurableState
}

const writes = ['MOVE', 'DELETE', 'PUT']

export async function stepsFrom(rules: Rules, world: World): Promise<Step[]> {
  const steps: Step[] = []
  for (const writer of world.writers.keys()) steps.push(...(await stepsOf(rules, world, writer)))
  steps.push(...(await stepsOfServer(rules, world)), ...(await stepsOfCollector(rules, world)))
  return steps
}

// -- the writers ---------------------------------------------------------------------------------------------------

async function stepsOf(rules: Rules, world: World, writer: number): Promise<Step[]> {
  const { at, waits, span } = world.writers[writer] as WriterAt
  if (at.kind === 'rest') return []
  const { scenario } = rules
  const { left } = world
  const { request } = at
  const who = letterOf(writer)
  const what = describe(rules.book, request)
  const isWrite = writes.includes(request.method)
  const steps: Step[] = []
  const add = async (
    text: string,
    from: World,
    outcome: { readonly answer: Answer } | { readonly restart: Beginning },
    isPlain = false,
  ) => {
    const arrival =
      'answer' in outcome
        ? await rules.histories.answer(at, outcome.answer)
        : await rules.histories.start(outcome.restart)
    steps.push(await settle(rules, from, writer, arrival, { text: `${who}: ${text}`, isPlain, writer }))
  }
  const isLatePossible = left.late > 0 && isWrite && (scenario.mayBeLate?.(request) ?? true)
  const dropped = withoutWaiter(world, writer)

  if (!waits) {
    if (request.method === 'MOVE' && scenario.copies === true) {
      const copied = copy(world.store, request)
      if (isDone(copied.answer)) {
        steps.push({
          text: `${who}: ${what}: the copy is made`,
          world: {
            ...withStore(world, copied.store),
            writers: replace(world.writers, writer, { at, waits: true, span: null }),
            halves: sortHalves([
              ...world.halves,
              { source: request.name, target: request.target ?? '', writer },
            ]),
          },
          isPlain: true,
          writer,
          told: [],
          errors: [],
        })
      } else await add(`${what}: ${show(rules, copied.answer)}`, world, copied, true)
    } else {
      const executed = execute(world.store, request)
      if (span !== null) {
        for (const names of choices(span)) {
          const isPlain = names.join() === world.store.heads.join()
          const answer: Answer = { kind: 'names', names }
          const text = `${what}: ${show(rules, answer)}${isPlain ? '' : ' (while it changed)'}`
          await add(text, world, { answer }, isPlain)
        }
      } else {
        await add(
          `${what}: ${show(rules, executed.answer)}`,
          withStore(world, executed.store),
          executed,
          true,
        )
      }
    }
  }

  if (!isWrite && left.unanswered > 0)
    await add(`${what}: no answer`, spend(world, 'unanswered'), { answer: noAnswer })
  if (isWrite && !waits) {
    const effect = effectOf(rules, world, request)
    if (left.lost > 0) {
      const spent = spend(world, 'lost')
      await add(`${what}: the request is lost`, spent, { answer: noAnswer })
      const executed = effectOf(rules, spent, request)
      if (executed.changed)
        await add(`${what}: done, the answer is lost`, executed.world, { answer: noAnswer })
    }
    if (left.cuts > 0 && request.method === 'PUT' && !request.name.startsWith('version/')) {
      const spent = spend(world, 'cuts')
      const torn = withStore(spent, withObject(spent.store, request.name, 'torn'))
      await add(`${what}: cut, half of it stays`, torn, { answer: noAnswer })
    }
    if (isLatePossible) {
      const kept = withLate(spend(world, 'late'), request)
      await add(`${what}: no answer, it is still on its way`, kept, { answer: noAnswer })
      if (effect.changed && scenario.copies !== true) {
        const twice = effectOf(rules, kept, request)
        await add(`${what}: done, and it will be repeated`, twice.world, { answer: effect.answer })
      }
    }
    if (request.method === 'MOVE') {
      if (left.falseSuccesses > 0 && !effect.changed)
        await add(`${what}: nothing happens, and the answer is 201`, spend(world, 'falseSuccesses'), {
          answer: status(201),
        })
      if (left.falseFailures > 0 && effect.changed) {
        const executed = effectOf(rules, spend(world, 'falseFailures'), request)
        await add(`${what}: done, and the answer is 404`, executed.world, { answer: status(404) })
      }
    }
  }

  for (const fault of ['crashes', 'losses'] as const) {
    if (left[fault] === 0) continue
    const spent = spend(dropped, fault)
    const word = fault === 'crashes' ? 'crashes' : 'crashes and loses its state folder'
    for (const [index, durable] of at.durables.entries()) {
      const restart = restartOf(rules, at.beginning, durable, fault)
      const isLast = index === at.durables.length - 1
      if (!isLast) {
        await add(`${word} between two steps on its own machine`, spent, { restart })
        continue
      }
      await add(`${word} before ${what}`, spent, { restart })
      if (!isWrite || waits) continue
      const executed = effectOf(rules, spent, request)
      if (executed.changed) await add(`${word} after ${what}, which was done`, executed.world, { restart })
      if (isLatePossible)
        await add(
          `${word} after ${what}, which is still on its way`,
          withLate(spend(spent, 'late'), request),
          { restart },
        )
    }
  }
  return steps
}

function restartOf(
  { scenario, durables, editAgain }: Rules,
  beginning: Beginning,
  durable: DurableState,
  fault: 'crashes' | 'losses',
): Beginning {
  const next = { ...beginning, life: beginning.life + 1, polls: false }
  if (fault === 'losses')
    return { ...next, identity: beginning.identity + 1, durable: durables.blank(durable.folders) }
  return { ...next, durable: scenario.editsAgain === true ? editAgain(durable, beginning) : durable }
}

// -- the server ----------------------------------------------------------------------------------------------------

async function stepsOfServer(rules: Rules, world: World): Promise<Step[]> {
  const steps: Step[] = []
  const { left } = world
  for (const [index, half] of world.halves.entries()) {
    const label = `${rules.book.label(half.source)} → ${rules.book.label(half.target)}`
    const others = { ...world, halves: world.halves.filter((_, other) => other !== index) }
    const finish = async (text: string, from: World, answer: Answer, isPlain: boolean) => {
      const step = { text: `server: ${text}`, isPlain, writer: null }
      if (half.writer === null) {
        steps.push(await settle(rules, from, null, null, step))
        return
      }
      const { at } = world.writers[half.writer] as WriterAt
      const arrival = await rules.histories.answer(at as Place, answer)
      steps.push(await settle(rules, from, half.writer, arrival, step))
    }
    const finished = withStore(others, without(world.store, half.source))
    await finish(`MOVE ${label}: the source is deleted`, finished, status(201), true)
    if (left.serverCrashes > 0)
      await finish(
        `dies within MOVE ${label}: both names stay`,
        spend(others, 'serverCrashes'),
        noAnswer,
        false,
      )
  }
  for (const [index, request] of world.late.entries()) {
    const others = { ...world, late: world.late.filter((_, other) => other !== index) }
    const what = describe(rules.book, request)
    const executed = effectOf(rules, others, request)
    const step = { isPlain: false, writer: null }
    if (executed.changed)
      steps.push(await settle(rules, executed.world, null, null, { ...step, text: `late: ${what}` }))
    const target = request.target ?? ''
    if (
      left.ghosts > 0 &&
      request.method === 'MOVE' &&
      !executed.changed &&
      !world.store.heads.includes(target)
    ) {
      const made = [...world.store.heads, target].sort()
      const from = withStore(spend(others, 'ghosts'), { ...world.store, heads: made })
      steps.push(await settle(rules, from, null, null, { ...step, text: `late, against all rules: ${what}` }))
    }
  }
  return steps
}

async function stepsOfCollector(rules: Rules, world: World): Promise<Step[]> {
  const { book, scenario } = rules
  const { store, collection, left } = world
  const step = { isPlain: false, writer: null }
  if (collection !== null) {
    const [next, ...rest] = collection.garbage
    if (next === undefined || (collection.drop !== '' && !stands(book, store, collection.drop))) return []
    // ORDER: looked at just now, and it may arrive at any time from now on.
    const sent = withLate(
      { ...world, collection: { ...collection, garbage: rest } },
      { method: 'DELETE', name: next },
    )
    return [
      await settle(rules, sent, null, null, { ...step, text: `collector: sends DELETE ${book.label(next)}` }),
    ]
  }
  const garbage = left.collections > 0 ? garbageIn(book, store) : null
  if (garbage === null || garbage.length === 0) return []
  const what = garbage.map((name) => book.label(name)).join(', ')
  const spent = spend(world, 'collections')
  if (scenario.collectsAtOnce === true) {
    const planned = { ...spent, collection: { drop: '', garbage } }
    return [await settle(rules, planned, null, null, { ...step, text: `collector: means to delete ${what}` })]
  }
  const drop = dropOn(book, store, garbage)
  if (drop === null) return []
  const made = withObject({ ...store, heads: [drop.head] }, drop.object, 'whole')
  const planned = { ...withStore(spent, made), collection: { drop: drop.head, garbage } }
  return [
    await settle(rules, planned, null, null, { ...step, text: `collector: commits the drop of ${what}` }),
  ]
}

/** What a request does when nobody waits for it. */
function effectOf(
  { scenario }: Rules,
  world: World,
  request: StepRequest,
): { readonly world: World; readonly answer: Answer; readonly changed: boolean } {
  if (request.method === 'MOVE' && scenario.copies === true) {
    const copied = copy(world.store, request)
    if (!isDone(copied.answer)) return { world, answer: copied.answer, changed: false }
    const half = { source: request.name, target: request.target ?? '', writer: null }
    const after = { ...withStore(world, copied.store), halves: sortHalves([...world.halves, half]) }
    return { world: after, answer: copied.answer, changed: true }
  }
  const { store, answer } = execute(world.store, request)
  return { world: withStore(world, store), answer, changed: store !== world.store }
}

/** The first state: nobody has done anything, and everybody sets off. */
export function startAll(rules: Rules, world: World): Promise<Step> {
  return settle(rules, world, null, null, { text: '', isPlain: true, writer: null })
}

// -- moving on -----------------------------------------------------------------------------------------------------

/** Puts the writer where it has arrived, and sets off everybody who rests although there is something to do. */
async function settle(
  rules: Rules,
  world: World,
  writer: number | null,
  arrival: Arrival | null,
  step: { readonly text: string; readonly isPlain: boolean; readonly writer: number | null },
): Promise<Step> {
  let after = world
  const told: (Told & { writer: number })[] = []
  const errors: DavitError[] = []
  const take = (who: number, { at, told: news, error }: Arrival) => {
    after = {
      ...after,
      writers: replace(after.writers, who, { at, waits: false, span: spanOf(rules, after, at) }),
      acknowledged: withAcknowledged(after.acknowledged, news),
    }
    told.push(...news.map((one) => ({ ...one, writer: who })))
    if (error !== null) errors.push(error)
  }
  if (writer !== null && arrival !== null) take(writer, arrival)
  for (const [who, { at }] of after.writers.entries()) {
    for (let runs = 0, now = at; now.kind === 'rest' && !isSettled(after, now); runs++) {
      if (runs > 20) throw new Error('runs end without a single step')
      const { beginning, well } = now
      const next = await rules.histories.start({ ...beginning, polls: well && rules.scenario.polls === true })
      take(who, next)
      now = next.at
    }
  }
  return { ...step, world: after, told, errors }
}

/** A writer at rest that has read the one head and has nothing left to do. */
export function isSettled({ store }: World, { beginning, well }: Rest): boolean {
  const { point } = beginning.durable
  return well && point !== null && store.heads.length === 1 && store.heads[0] === headName(point)
}

function spanOf({ scenario }: Rules, { store }: World, at: Place | Rest): WriterAt['span'] {
  if (scenario.spans !== true || at.kind === 'rest' || at.request.method !== 'PROPFIND') return null
  return { sure: store.heads, maybe: store.heads }
}

function withStore(world: World, store: Store): World {
  if (store === world.store) return world
  if (store.heads === world.store.heads) return { ...world, store }
  const writers = world.writers.map((writer) => {
    if (writer.span === null) return writer
    const sure = writer.span.sure.filter((name) => store.heads.includes(name))
    const maybe = [...new Set([...writer.span.maybe, ...store.heads])].sort()
    return { ...writer, span: { sure, maybe } }
  })
  return { ...world, store, writers }
}

function choices({
  sure,
  maybe,
}: {
  readonly sure: readonly string[]
  readonly maybe: readonly string[]
}): string[][] {
  let sets: string[][] = [[...sure]]
  for (const name of maybe) {
    if (!sure.includes(name)) sets = sets.flatMap((set) => [set, [...set, name]])
  }
  return sets.map((set) => set.sort())
}

function withAcknowledged(names: readonly string[], told: readonly Told[]): readonly string[] {
  const more = told.flatMap((one) => (one.kind === 'acknowledged' ? [headName(one.point)] : []))
  return more.length === 0 ? names : [...new Set([...names, ...more])].sort()
}

function withLate(world: World, request: StepRequest): World {
  const late = [...world.late, request].sort((one, other) => (textOf(one) < textOf(other) ? -1 : 1))
  return { ...world, late }
}

function withoutWaiter(world: World, writer: number): World {
  const halves = world.halves.map((half) => (half.writer === writer ? { ...half, writer: null } : half))
  return { ...world, halves: sortHalves(halves) }
}

function sortHalves(halves: readonly Half[]): Half[] {
  const text = ({ source, target, writer }: Half) => `${source} ${target} ${writer}`
  return [...halves].sort((one, other) => (text(one) < text(other) ? -1 : 1))
}

function spend(world: World, fault: keyof Faults): World {
  return { ...world, left: { ...world.left, [fault]: world.left[fault] - 1 } }
}

function replace<T>(list: readonly T[], index: number, value: T): T[] {
  return list.map((old, at) => (at === index ? value : old))
}

function isDone(answer: Answer): boolean {
  return answer.kind === 'status' && answer.status === 201
}

export function textOf({ method, name, target }: StepRequest): string {
  return `${method} ${name} ${target ?? ''}`
}

export function describe(book: ChangesetBook, { method, name, target }: StepRequest): string {
  const place =
    name === 'version/' ? 'LIST' : name === 'lock/' ? 'LIST lock/' : `${method} ${book.label(name)}`
  return target === undefined ? place : `${place} → ${book.label(target)}`
}

function show({ book }: Rules, answer: Answer): string {
  if (answer.kind === 'names') return `{${answer.names.map((name) => book.label(name)).join(', ')}}`
  return answerKey(answer)
}
