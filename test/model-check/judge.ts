/** What must hold in every state, read off the store alone, and when all is done. */
import { emptyStorePoint } from '../../src/model/changeset.ts'
import { changesetName, headName } from '../../src/remote/layout.ts'
import type { BookEntry, ChangesetBook } from './changeset-book.ts'
import type { Scenario } from './scenario.ts'
import { isSettled, type Step, type World } from './world.ts'

/** What each writer wants to be in the chain in the end, in the words of the book. */
export type Wanted = readonly (readonly string[])[]

export interface Judge {
  readonly scenario: Scenario
  readonly book: ChangesetBook
  readonly wanted: Wanted
}

/** What a step did that must never happen, or what is wrong with the state that it led to; `null` when all is well. */
export function violationOf(judge: Judge, step: Step): string | null {
  for (const error of step.errors) {
    if (error.action !== 'retry')
      return `a run asks a person for help without reason: ${error.code}: ${error.message}`
  }
  if (step.told.some(({ kind }) => kind === 'conflict'))
    return 'a conflict is opened though nobody edited the same thing'
  return violationIn(judge, step.world)
}

function violationIn({ book, scenario }: Judge, { store, acknowledged }: World): string | null {
  for (const head of store.heads) {
    const chain = book.chainOf(head)
    if (chain === null) return `the chain of head ${book.label(head)} does not reach version 1`
    const twice = firstTwice(chain.flatMap((entry) => entry.edits))
    if (twice !== null) return `'${twice}' is made twice in the chain of ${book.label(head)}`
    if (scenario.followsObjects === true) {
      const missing = chain.find(
        (entry) => store.objects.get(changesetName(entry.changeset.point)) !== 'whole',
      )
      if (missing !== undefined)
        return `changeset ${missing.label} of the chain of ${book.label(head)} is ${store.objects.get(changesetName(missing.changeset.point)) ?? 'missing'}`
    }
  }
  if (scenario.forks === true) return null
  const parents = new Map<string, string>()
  for (const name of acknowledged) {
    const entry = book.chainOf(name)?.at(-1)
    const parent = entry?.changeset.header.parent ?? emptyStorePoint.hash
    const sibling = parents.get(parent)
    if (sibling !== undefined)
      return `two children of one parent were acknowledged: ${book.label(sibling)} and ${book.label(name)}`
    parents.set(parent, name)
  }
  const [only] = store.heads
  if (store.heads.length !== 1 || only === undefined) return null
  const chain = book.chainOf(only) as readonly BookEntry[]
  const lost = acknowledged.find((name) => !chain.some((entry) => headName(entry.changeset.point) === name))
  return lost === undefined
    ? null
    : `commit ${book.label(lost)} was acknowledged and is not in the chain of ${book.label(only)}`
}

function firstTwice(list: readonly string[]): string | null {
  return list.find((item, index) => list.indexOf(item) !== index) ?? null
}

/** All but the one left out are done: one head, read by all of them, with all that they wanted in its chain. */
export function isAgreed({ book, wanted }: Judge, world: World, leftOut: number | null): boolean {
  const [head] = world.store.heads
  if (world.store.heads.length !== 1 || head === undefined) return false
  const edits = book.chainOf(head)?.flatMap((entry) => entry.edits) ?? []
  return world.writers.every(({ at }, writer) => {
    if (writer === leftOut) return true
    if (at.kind !== 'rest' || !isSettled(world, at)) return false
    return wantedNow(wanted, writer, at.beginning.life).every(
      (edit) => edits.filter((made) => made === edit).length === 1,
    )
  })
}

/** The last of the writer's edits that it came to make: one more with each crash. */
function wantedNow(wanted: Wanted, writer: number, life: number): readonly string[] {
  const own = wanted[writer] ?? []
  return own.slice(Math.min(life, own.length) - 1).slice(0, 1)
}
