/** The first state of a scenario, made by the real engine itself: the store, who has read it, and who has edited what. */
import type { ChainPoint } from '../../src/model/changeset.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { ChangesetBook } from './changeset-book.ts'
import { createDurableStates, type DurableState, type DurableStates } from './durable-states.ts'
import { Histories } from './histories.ts'
import type { Judge, Wanted } from './judge.ts'
import { noFaults, type Scenario } from './scenario.ts'
import { emptyStore, execute, firstHead, type Store } from './store.ts'
import { type Rules, type Step, startAll } from './world.ts'
import { type Beginning, type Ground, letterOf, startWriter } from './writer.ts'

export interface Opened {
  readonly rules: Rules
  readonly judge: Judge
  readonly first: Step
  dispose(): void
}

const baseOf = (writer: number): string => `base-${letterOf(writer)}`
const newOf = (writer: number): string => `new-${letterOf(writer)}`

export async function openScenario(scenario: Scenario, migrationsFolder: string): Promise<Opened> {
  const book = new ChangesetBook()
  const durables = createDurableStates(migrationsFolder)
  const writers = Array.from({ length: scenario.writers }, (_, index) => index)
  const ground: Ground = {
    book,
    durables,
    followsObjects: scenario.followsObjects === true,
    creates: scenario.begins === 'empty',
    takesTurns: scenario.takesTurns === true,
  }
  let store: Store = emptyStore
  const begun: Beginning[] = []
  for (const writer of writers) {
    const folders = scenario.begins === 'joined' && writer === 0 ? writers.map(baseOf) : []
    let beginning: Beginning = {
      writer,
      durable: durables.blank(folders),
      life: 0,
      identity: 0,
      polls: false,
    }
    if (scenario.begins !== 'empty') {
      const done = await runAlone({ ...ground, creates: true, takesTurns: false }, beginning, store)
      store = done.store
      beginning = { ...beginning, durable: done.durable }
    }
    begun.push({ ...beginning, life: 1, durable: edited(durables, scenario, beginning, 1) })
  }
  const wanted: Wanted = writers.map((writer) =>
    scenario.edit === 'folder'
      ? [`${newOf(writer)} created`]
      : [
          `${baseOf(writer)} x=1`,
          ...(scenario.editsAgain === true ? [`${baseOf(writer)} x=2`, `${baseOf(writer)} x=3`] : []),
        ],
  )
  const histories = new Histories(ground)
  const again = new Map<string, DurableState>()
  const rules: Rules = {
    scenario,
    histories,
    durables,
    book,
    editAgain(state, beginning) {
      const key = `${beginning.writer} ${beginning.life} ${state.id}`
      const known = again.get(key)
      if (known !== undefined) return known
      const made = edited(durables, scenario, { ...beginning, durable: state }, beginning.life + 1)
      again.set(key, made)
      return made
    },
  }
  const first = await startAll(rules, {
    store,
    writers: begun.map((beginning) => ({ at: histories.rest(beginning, false), waits: false, span: null })),
    late: scenario.lateFirstHead === true ? [{ method: 'PUT', name: firstHead }] : [],
    halves: [],
    left: { ...noFaults, ...scenario.faults },
    collection: null,
    acknowledged: [],
  })
  return {
    rules,
    judge: { scenario, book, wanted },
    first,
    dispose() {
      histories.dispose()
      durables.dispose()
    },
  }
}

/** One run to its end, with nobody else about. */
async function runAlone(
  ground: Ground,
  beginning: Beginning,
  from: Store,
): Promise<{ readonly store: Store; readonly durable: DurableState; readonly point: ChainPoint | null }> {
  let store = from
  const process = startWriter(ground, beginning)
  for (let segment = await process.first; ; ) {
    const { stop, durables } = segment
    if (stop.kind === 'ended') {
      process.kill()
      if (stop.error !== null) throw stop.error
      const durable = durables.at(-1) as DurableState
      return { store, durable, point: durable.point }
    }
    const executed = execute(store, stop.request)
    store = executed.store
    segment = await process.answer(executed.answer)
  }
}

/** The writer's edit, the same for the same number: a folder made on disk, or a field set as the API sets it. */
function edited(
  durables: DurableStates,
  scenario: Scenario,
  beginning: Beginning,
  number: number,
): DurableState {
  const { durable, writer } = beginning
  if (scenario.edit === 'folder') {
    const folders = [...new Set([...durable.folders, newOf(writer)])].sort()
    return durables.withFolders(durable, folders)
  }
  const watched = durables.open(durable, () => '')
  try {
    const { trees } = watched.database
    const local = trees.localAt(baseOf(writer))
    if (local === null) throw new Error(`${letterOf(writer)} has no folder to edit`)
    const metadata: JsonObject = { ...local.state.metadata, x: number }
    trees.putLocal({ ...local, state: { ...local.state, metadata } })
    return watched.keep(durable.folders)
  } finally {
    watched.close()
  }
}
