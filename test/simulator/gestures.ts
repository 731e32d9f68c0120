/** What people do with their files, one function for each kind of gesture. */
import { isDavitError } from '../../src/model/errors.ts'
import type { FilePath } from '../../src/model/file-state.ts'
import type { JsonValue } from '../../src/model/json.ts'
import { nameOf, parentOf } from '../../src/model/path.ts'
import { conflictRevision, type Resolution } from '../../src/sync/resolve.ts'
import type { Chance } from './chance.ts'
import { joinedText, newText } from './contents.ts'
import type { History } from './history.ts'
import type { SimulatedInstance } from './instance.ts'
import { Person } from './person.ts'
import type { gestureKinds } from './plan.ts'

export interface Scene {
  readonly history: History
  readonly instances: readonly SimulatedInstance[]
  /** Starts something that ends at some time; how it ends is not waited for. */
  readonly launch: (what: string, work: () => Promise<unknown>) => void
  /** After so many milliseconds, unless everything is being healed by then. */
  readonly later: (ms: number, act: () => void) => void
}

type Gesture = (scene: Scene, instance: SimulatedInstance, chance: Chance) => void

function person(scene: Scene, instance: SimulatedInstance): Person {
  return new Person(instance, scene.history)
}

function beside(path: FilePath, name: string): FilePath {
  const folder = parentOf(path)
  return folder === '' ? name : `${folder}/${name}`
}

export const gestures: Readonly<Record<(typeof gestureKinds)[number], Gesture>> = {
  write: (scene, instance, chance) => {
    person(scene, instance).create(chance)
  },
  edit: (scene, instance, chance) => {
    const one = person(scene, instance)
    if (!one.edit(chance)) one.create(chance)
  },
  /** As after a `git pull` on two machines. */
  sameEdit: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFile(chance) ?? one.freePath(chance)
    if (path === null) return
    const text = newText(scene.history.newMark('both'))
    for (const each of scene.instances) {
      const other = person(scene, each)
      if (each === instance || other.files().has(path)) other.save(path, text, { inPlace: false })
    }
  },
  rename: (scene, instance, chance) => {
    const one = person(scene, instance)
    const [from, to] = [one.anyFile(chance), one.freePath(chance)]
    if (from !== null && to !== null && !to.startsWith(`${from}/`)) one.rename(from, to)
  },
  renameFolder: (scene, instance, chance) => {
    const one = person(scene, instance)
    const from = one.anyFolder(chance)
    if (from === null) return
    const taken = new Set([...one.files().keys(), ...one.folders()])
    const to = chance.pick(['a', 'b', 'd', 'a/e'])
    if (!taken.has(to) && to !== from && !to.startsWith(`${from}/`) && !one.files().has(parentOf(to)))
      one.rename(from, to)
  },
  renameOver: (scene, instance, chance) => {
    const one = person(scene, instance)
    const [from, to] = [one.anyFile(chance), one.anyFile(chance)]
    if (from !== null && to !== null && from !== to) one.rename(from, to)
  },
  swap: (scene, instance, chance) => {
    const one = person(scene, instance)
    const [left, right] = [one.anyFile(chance), one.anyFile(chance)]
    if (left !== null && right !== null && left !== right) one.swap(left, right)
  },
  remove: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFile(chance)
    if (path !== null) one.remove(path)
  },
  removeFolder: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFolder(chance)
    if (path !== null) one.removeFolder(path)
  },
  makeFolder: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.freePath(chance)
    if (path !== null) one.makeFolder(path)
  },
  copy: (scene, instance, chance) => {
    const one = person(scene, instance)
    const [from, to] = [one.anyFile(chance), one.freePath(chance)]
    if (from !== null && to !== null && !to.startsWith(`${from}/`)) one.copy(from, to)
  },
  touch: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFile(chance)
    if (path !== null) one.touchTime(path, instance.clock.now() - chance.between(0, 10) * 86_400_000)
  },
  executable: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFile(chance)
    if (path !== null) one.setExecutable(path, chance.happens(0.6))
  },
  fileToFolder: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFile(chance)
    if (path === null) return
    one.remove(path)
    if (chance.happens(0.3)) one.makeFolder(path)
    else one.save(`${path}/in`, newText(scene.history.newMark(instance.name)), { inPlace: true })
  },
  folderToFile: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFolder(chance)
    if (path === null) return
    one.removeFolder(path)
    one.save(path, newText(scene.history.newMark(instance.name)), { inPlace: true })
  },
  metadata: (scene, instance, chance) => {
    if (!instance.isRunning) return
    // Often the same file everywhere, so that people meet.
    const [first] = [...person(scene, instance).files().keys()].sort()
    const path = chance.happens(0.6) ? (first ?? null) : person(scene, instance).anyFile(chance)
    if (path === null) return
    const field = chance.pick(['labels', 'title', 'status'])
    setMetadata(scene, instance, { path, field, chance })
  },
  /** The same field of one file, everywhere at once. */
  metadataMeet: (scene, instance, chance) => {
    if (chance.happens(0.7) && changeOpenField(scene, instance, chance)) return
    const one = person(scene, instance)
    const [first] = [...one.files().keys()].sort()
    const path = chance.happens(0.7) ? first : one.anyFile(chance)
    if (path === undefined || path === null) return
    const field = chance.pick(['labels', 'title', 'title'])
    const areEager = chance.happens(0.6)
    for (const each of living(scene)) {
      setMetadata(scene, each, { path, field, chance })
      if (areEager && each.isRunning) syncs(scene, each)
    }
  },
  resolve: (scene, instance, chance) => {
    if (instance.isRunning) resolveAny(scene, instance, chance)
  },
  /** Somebody looks at a conflict, thinks for a while, and decides on what was to be seen then. */
  decideLater: (scene, instance, chance) => {
    if (!instance.isRunning) return
    const decide = prepareDecision(scene, instance, chance)
    if (decide !== null)
      scene.later(chance.between(100, 30_000), () => {
        if (instance.isRunning) decide()
      })
  },
  /** The same file edited everywhere before anybody can know of the others. */
  meet: (scene, instance, chance) => {
    const one = person(scene, instance)
    const [first] = [...one.files().keys()].sort()
    const path = chance.happens(0.6) ? first : one.anyFile(chance)
    if (path === undefined || path === null) return
    for (const each of living(scene)) {
      if (each === instance || chance.happens(0.7)) person(scene, each).edit(chance, path)
      if (each.isRunning && chance.happens(0.5)) syncs(scene, each)
    }
  },
  /** Everybody has several things to commit at the same moment. */
  rush: (scene, _instance, chance) => {
    for (const each of living(scene)) {
      const one = person(scene, each)
      for (let index = 0; index < 3; index++) if (!one.edit(chance)) one.create(chance)
      if (each.isRunning) syncs(scene, each)
    }
  },
  /** Size and modification time tell nothing of it; ctime does, unless it stands still, which no look can tell. */
  sneakyEdit: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFile(chance)
    if (path === null) return
    const before = one.look(path)
    one.edit(chance, path, { inPlace: true })
    if (before === null || one.look(path)?.ctimeMs === before.ctimeMs) return
    one.touchTime(path, before.mtimeMs)
    const text = one.files().get(path)
    if (text !== undefined) scene.history.setBack(instance.name, text)
  },
  /** A file is given a text again that it had, here or elsewhere. */
  revert: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFile(chance)
    const row = path === null ? null : instance.index.trees.localAt(path)
    if (path === null || row === null) return
    const hash = instance.index.trees.remoteOf(row.id)?.state.hash ?? null
    const committed = hash === null ? null : scene.history.textOf(hash)
    const former = [...scene.history.texts.values()]
      .filter(({ givenUp }) => givenUp.some((act) => act.path === path))
      .map(({ text }) => text)
    const texts = committed === null || chance.happens(0.4) ? former : [committed]
    if (texts.length > 0) one.save(path, chance.pick(texts), { inPlace: chance.happens(0.5) })
  },
  /** A file is edited while it is synchronised, or right after, within one tick of the file system. */
  editAgain: (scene, instance, chance) => {
    const one = person(scene, instance)
    const path = one.anyFile(chance)
    if (path === null) return
    one.edit(chance, path, { inPlace: true })
    if (instance.isRunning) syncs(scene, instance)
    scene.later(chance.between(1, 600), () => one.edit(chance, path, { inPlace: true }))
  },
}

function living(scene: Scene): SimulatedInstance[] {
  return scene.instances.filter(({ isGone, isAway }) => !isGone && !isAway)
}

function syncs(scene: Scene, instance: SimulatedInstance): void {
  scene.launch(`${instance.name} syncs`, () => instance.sync())
}

/** Of a field in conflict everywhere: whoever has a side in it changes or gives up that, the others edit it. */
function changeOpenField(scene: Scene, instance: SimulatedInstance, chance: Chance): boolean {
  const open = instance.index.conflicts.page({ limit: 100 }).filter(({ aspect }) => aspect !== 'content')
  if (open.length === 0) return false
  const { id, fileId, aspect } = chance.pick(open)
  const field = aspect.slice('metadata.'.length)
  for (const each of living(scene)) {
    const { trees, conflicts } = each.index
    const path = trees.triple(fileId).local?.state.path
    if (path === undefined) continue
    const isSide = conflicts.get(id)?.candidates.some((side) => side.instance === each.id) === true
    const committed = trees.remoteOf(fileId)?.state.metadata[field] ?? null
    const given = isSide && chance.happens(0.6) ? { value: committed } : {}
    setMetadata(scene, each, { path, field, chance, ...given })
    // Whoever has no side in it commits first: what the others then give up has moved on.
    if (!isSide && each.isRunning) syncs(scene, each)
  }
  return true
}

function setMetadata(
  scene: Scene,
  instance: SimulatedInstance,
  of: {
    readonly path: FilePath
    readonly field: string
    readonly chance: Chance
    /** Left to chance by default. */
    readonly value?: JsonValue
  },
): void {
  const { path, field, chance } = of
  const drawn =
    field === 'labels'
      ? ['red', 'blue', 'green'].filter(() => chance.happens(0.5))
      : chance.pick(['one', 'two', 'three', null])
  const value = of.value === undefined ? drawn : of.value
  const row = instance.isRunning ? instance.index.trees.localAt(path) : null
  if (row === null) return
  scene.launch(`${instance.name} sets metadata`, () =>
    instance.doing(() => instance.files.patchMetadata(row.id, { [field]: value }, {})),
  )
}

/** Decides one open conflict in some way; answers whether there was one. */
export function resolveAny(scene: Scene, instance: SimulatedInstance, chance: Chance): boolean {
  const decide = prepareDecision(scene, instance, chance)
  decide?.()
  return decide !== null
}

/** A decision on one open conflict as it is now, whenever it is carried out; `null` when none is open. */
function prepareDecision(scene: Scene, instance: SimulatedInstance, chance: Chance): (() => void) | null {
  const open = instance.index.conflicts.page({ limit: 100 })
  if (open.length === 0) return null
  const conflict = chance.pick(open)
  const expected = conflictRevision(instance.context, conflict)
  const { history } = scene
  /** What is refused was not decided. */
  const decided = (resolution: Resolution, kept: readonly string[], sides: readonly string[]) => () =>
    scene.launch(`${instance.name} resolves ${conflict.path} ${resolution.strategy}`, async () => {
      try {
        await instance.resolve(resolution)
      } catch (error) {
        if (isDavitError(error, 'conflict-stale', 'not-found', 'bad-request')) throw error
        history.decided(kept, sides)
        throw error
      }
      history.decided(kept, sides)
    })
  const candidate = chance.pick(conflict.candidates)
  if (conflict.aspect !== 'content') {
    const strategy = chance.pick(['local', 'remote'] as const)
    return decided({ id: conflict.id, strategy, candidate: candidate.instance, expected }, [], [])
  }
  const committedHash = instance.index.trees.remoteOf(conflict.fileId)?.state.hash ?? null
  const committed = committedHash === null ? null : history.textOf(committedHash)
  const sides = [committed, ...conflict.candidates.map(({ hash }) => history.textOf(hash))].filter(
    (text) => text !== null,
  )
  const strategy = chance.pick(['local', 'remote', 'both', 'merge'] as const)
  const chosen = history.textOf(candidate.hash)
  const base = { id: conflict.id, strategy, expected }
  switch (strategy) {
    case 'local':
      return decided({ ...base, candidate: candidate.instance }, chosen === null ? [] : [chosen], sides)
    case 'remote':
      return decided(base, committed === null ? [] : [committed], sides)
    case 'both':
      return decided(base, sides, sides)
    case 'merge': {
      const given = history.newMark(instance.name)
      const mark = `${given}.0`
      const merged = joinedText(sides, given)
      return () => {
        history.composed(instance.name, merged)
        scene.launch(`${instance.name} merges ${conflict.path}`, async () => {
          const done = await instance
            .resolve({ ...base, content: Buffer.from(merged) })
            .catch((error: unknown) => {
              history.droppedMarks.add(mark)
              throw error
            })
          // Killed on the way: whoever typed it knows that it may not have been kept.
          if (done === null) history.droppedMarks.add(mark)
        })
      }
    }
  }
}

/** An edit in the very moment in which a step is under way: in place, as a new file, or as a deletion. */
export function slipIn(scene: Scene, instance: SimulatedInstance, chance: Chance): void {
  const one = person(scene, instance)
  const roll = chance.fraction()
  const path = one.anyFile(chance)
  if (path === null || roll < 0.3) one.create(chance)
  else if (roll < 0.7) one.save(path, newText(scene.history.newMark(instance.name)), { inPlace: true })
  else if (roll < 0.9) one.remove(path)
  else one.rename(path, beside(path, `${nameOf(path)}.old`))
}
