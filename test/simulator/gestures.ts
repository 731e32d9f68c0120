/** What people do with their files, one function for each kind of gesture. */
import type { FilePath } from '../../src/model/file-state.ts'
import { nameOf, parentOf } from '../../src/model/path.ts'
import { conflictRevision } from '../../src/sync/resolve.ts'
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
    const row = path === null ? null : instance.index.trees.localAt(path)
    if (row === null) return
    const patch = chance.happens(0.5)
      ? { labels: [chance.pick(['red', 'blue', 'green'])] }
      : { [chance.pick(['title', 'status'])]: chance.pick(['one', 'two', 'three', null]) }
    scene.launch(`${instance.name} sets metadata`, () =>
      instance.doing(() => instance.files.patchMetadata(row.id, patch, {})),
    )
  },
  resolve: (scene, instance, chance) => {
    if (instance.isRunning) resolveAny(scene, instance, chance)
  },
}

/** Decides one open conflict in some way; answers whether there was one. */
export function resolveAny(scene: Scene, instance: SimulatedInstance, chance: Chance): boolean {
  const open = instance.index.conflicts.page({ limit: 100 })
  if (open.length === 0) return false
  const conflict = chance.pick(open)
  const expected = conflictRevision(instance.context, conflict)
  if (conflict.aspect !== 'content') {
    const strategy = chance.pick(['local', 'remote'] as const)
    const candidate = chance.pick(conflict.candidates).instance
    scene.launch(`${instance.name} resolves ${conflict.aspect} ${strategy}`, () =>
      instance.resolve({ id: conflict.id, strategy, candidate, expected }),
    )
    return true
  }
  const { history } = scene
  const committedHash = instance.index.trees.remoteOf(conflict.fileId)?.state.hash ?? null
  const committed = committedHash === null ? null : history.textOf(committedHash)
  const candidate = chance.pick(conflict.candidates)
  const sides = [committed, ...conflict.candidates.map(({ hash }) => history.textOf(hash))].filter(
    (text) => text !== null,
  )
  const strategy = chance.pick(['local', 'remote', 'both', 'merge'] as const)
  const chosen = history.textOf(candidate.hash)
  switch (strategy) {
    case 'local':
      history.decided(chosen === null ? [] : [chosen], sides)
      break
    case 'remote':
      history.decided(committed === null ? [] : [committed], sides)
      break
    case 'both':
      history.decided(sides, sides)
      break
    case 'merge': {
      const merged = joinedText(sides, history.newMark(instance.name))
      history.composed(instance.name, merged)
      scene.launch(`${instance.name} merges ${conflict.path}`, () =>
        instance.resolve({ id: conflict.id, strategy, content: Buffer.from(merged), expected }),
      )
      return true
    }
  }
  const named = strategy === 'local' ? { candidate: candidate.instance } : {}
  scene.launch(`${instance.name} resolves ${conflict.path} ${strategy}`, () =>
    instance.resolve({ id: conflict.id, strategy, ...named, expected }),
  )
  return true
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
