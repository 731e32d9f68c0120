/**
 * What must hold when everybody is quiet, decided on what was done (`History`) and what is found. Pure. The rules are
 * the invariants of a replicator: S4 no lost content, S5 nothing deleted comes back, S6 nothing goes that nobody took
 * away, S7 no content that nobody meant, L1 equal workspaces, L5 equal conflicts.
 */
import type { ContentHash, FilePath } from '../../src/model/file-state.ts'
import { type Gesture, type History, type Result, resolver } from './history.ts'

export interface Violation {
  readonly rule: string
  /** What it is about; `null` for an instance as a whole. */
  readonly path: FilePath | null
  readonly detail: string
}

export interface Entry {
  /** `null`: an empty folder. */
  readonly hash: ContentHash | null
  readonly executable: boolean
}

/** A workspace as it lies on the disk, without its state folder. */
export type Tree = ReadonlyMap<FilePath, Entry>

export interface ConflictSeen {
  readonly id: string
  readonly path: FilePath
  readonly aspect: string
  readonly candidates: readonly { readonly instance: string; readonly hash: ContentHash | null }[]
}

/** Names that Davit itself gives: `name (INSTANCE 2026-11-20 14.05).txt`, `name (conflict from … ).txt`. */
const givenName = / \([^/]* \d{4}-\d{2}-\d{2} \d{2}\.\d{2}\)( \d+)?/

const short = (hash: ContentHash | null | undefined) => (hash ? hash.slice(0, 12) : 'nothing')

/** S4: every content that is owed lies somewhere. `held`: hashes of everything that could be read anywhere. */
export function findLosses(history: History, held: ReadonlySet<ContentHash>): Violation[] {
  return history
    .owed()
    .filter(({ hash }) => !held.has(hash))
    .map(({ hash, instance, gesture, path, acknowledged }) => ({
      rule: 'S4',
      path,
      detail: `content ${short(hash)}, written in ${instance} with gesture ${gesture}${acknowledged ? ' and acknowledged' : ''}, is nowhere`,
    }))
}

/** A label that the API took, and what was done by the check before that. */
export interface Label {
  readonly instance: string
  readonly fileId: string
  readonly path: FilePath
  readonly label: string
  readonly afterGesture: number
}

/**
 * S4: a label stays with its file. One whose file somebody deleted since the last check may have gone with it: a
 * deletion wins over a label, and an edit that brings the file back may not have known the label.
 */
export function findLostLabels(
  history: History,
  labels: readonly Label[],
  files: ReadonlyMap<string, { readonly path: FilePath; readonly labels: readonly string[] }>,
): Violation[] {
  return labels.flatMap(({ fileId, path, label, instance, afterGesture }) => {
    const file = files.get(fileId)
    if (file === undefined || file.labels.includes(label)) return []
    const about = [...history.about(path), ...history.about(file.path)]
    if (about.some((gesture) => gesture.number > afterGesture && deletes(gesture))) return []
    return [{ rule: 'S4', path: file.path, detail: `lost ${label}, put on ${path} in ${instance}` }]
  })
}

function deletes({ results, links }: Gesture): boolean {
  const last = new Map(results.map(({ path, hash }) => [path, hash]))
  return [...last].some(([path, hash]) => hash === null && !links.some(([from]) => from === path))
}

/** L1: the same at every path, but for those that are left out. */
export function findDifferences(
  trees: ReadonlyMap<string, Tree>,
  isLeftOut: (path: FilePath) => boolean,
): Violation[] {
  const [first, ...others] = trees
  if (first === undefined) return []
  const [name, tree] = first
  return others.flatMap(([otherName, other]) =>
    [...new Set([...tree.keys(), ...other.keys()])]
      .filter((path) => !isLeftOut(path) && tell(tree.get(path)) !== tell(other.get(path)))
      .map((path) => ({
        rule: 'L1',
        path,
        detail: `${name} has ${tell(tree.get(path))}, ${otherName} has ${tell(other.get(path))}`,
      })),
  )
}

function tell(entry: Entry | undefined): string {
  if (entry === undefined) return 'nothing'
  return entry.hash === null ? 'an empty folder' : `${short(entry.hash)}${entry.executable ? ' +x' : ''}`
}

/** L5: every instance tells of the same conflicts, with the same sides. */
export function findConflictDifferences(lists: ReadonlyMap<string, readonly ConflictSeen[]>): Violation[] {
  const [first, ...others] = lists
  if (first === undefined) return []
  const describe = ({ aspect, candidates }: ConflictSeen) =>
    `${aspect} ${candidates
      .map(({ instance, hash }) => `${instance} ${short(hash)}`)
      .sort()
      .join(', ')}`
  const told = (list: readonly ConflictSeen[]) => new Map(list.map((each) => [each.id, describe(each)]))
  const [name, list] = first
  return others.flatMap(([otherName, other]) => {
    const [here, there] = [told(list), told(other)]
    const pathOf = new Map([...list, ...other].map(({ id, path }) => [id, path]))
    return [...pathOf]
      .filter(([id]) => here.get(id) !== there.get(id))
      .map(([id, path]) => ({
        rule: 'L5',
        path,
        detail: `conflict ${id}: ${name} tells ${here.get(id) ?? 'nothing'}; ${otherName} tells ${there.get(id) ?? 'nothing'}`,
      }))
  })
}

/** A side in conflict: every workspace has one of the conflict's contents there. */
export function findStrayCandidates(
  trees: ReadonlyMap<string, Tree>,
  conflicts: readonly ConflictSeen[],
): Violation[] {
  return conflicts
    .filter(({ aspect }) => aspect === 'content')
    .flatMap(({ path, candidates }) =>
      [...trees].flatMap(([instance, tree]) => {
        const hash = tree.get(path)?.hash
        if (hash !== undefined && candidates.some((side) => side.hash === hash)) return []
        return [
          { rule: 'L5', path, detail: `${instance} has ${short(hash)}, which is no side of the conflict` },
        ]
      }),
    )
}

export interface Interval {
  /** What everybody agreed on when the interval began; empty at first. */
  readonly before: Tree
  /** What everybody agrees on now. */
  readonly after: Tree
  /** All gestures in between, in order. */
  readonly gestures: readonly Gesture[]
  /** Paths of which nothing can be said: in conflict at either end, or perhaps ignored by somebody. */
  readonly isLeftOut: (path: FilePath) => boolean
  readonly known: ReadonlySet<ContentHash>
  /** Paths whose content came to be in conflict meanwhile. */
  readonly newConflicts: readonly FilePath[]
}

/** S5, S6, S7: what became of each path follows from what somebody did to it. */
export function findSurprises(interval: Interval): Violation[] {
  const { before, after, gestures, isLeftOut, known, newConflicts } = interval
  const touched = resultsByPath(gestures, before)
  const groups = groupPaths(gestures, touched, before)
  const isOneMans = (actors: ReadonlySet<string>) =>
    actors.size === 0 || (actors.size === 1 && !actors.has(resolver))
  const violations: Violation[] = newConflicts
    .filter((path) => isOneMans(groups.actorsOf(path)))
    .map((path) => {
      const whose = [...groups.actorsOf(path)].join() || 'nobody'
      return { rule: 'S11', path, detail: `in conflict, though only ${whose} touched it` }
    })
  for (const path of new Set([...before.keys(), ...after.keys(), ...touched.keys()])) {
    if (isLeftOut(path)) continue
    const was = before.get(path)?.hash ?? null
    const is = after.get(path)?.hash ?? null
    const violate = (rule: string, detail: string) =>
      violations.push({ rule, path, detail: `${detail} (was ${short(was)}, is ${short(is)})` })
    if (is !== null && !known.has(is)) violate('S7', 'a content that nobody wrote')
    const own = touched.get(path) ?? []
    const actors = groups.actorsOf(path)
    if (isOneMans(actors)) {
      const last = own.at(-1)
      const expected = last === undefined ? was : last.hash
      if (is === expected || (is !== null && expected === null && givenName.test(path))) continue
      const whose =
        last === undefined
          ? 'nobody touched it'
          : `only ${last.instance} touched it, last with gesture ${last.gesture}`
      violate(expected === null ? 'S5' : is === null ? 'S6' : 'S10', `${whose}; expected ${short(expected)}`)
    } else if (is !== null) {
      if (was === null && !own.some(({ hash }) => hash !== null) && !givenName.test(path))
        violate('S5', 'it appeared, though nobody put anything there')
      const last = own.at(-1)?.hash === null ? own.at(-1) : undefined
      // Whoever worked on the file elsewhere, under another name of it too, may not have heard of the deletion: that wins.
      const maySave = (touch: Touch) =>
        last !== undefined && (touch.instance !== last.instance || touch.gesture > last.gesture)
      const isBack =
        last !== undefined &&
        !own.some((touch) => touch.hash !== null && maySave(touch)) &&
        !groups.touchesOf(path).some((touch) => touch.isWork && maySave(touch))
      if (isBack)
        violate('S5', `${last.instance} took it away with gesture ${last.gesture}, and it came back`)
    } else if (was !== null && !own.some(({ hash }) => hash === null) && !hasBelow(after, path)) {
      violate('S6', 'it is gone, though nobody took it away')
    }
  }
  return violations
}

/** Stands for a content that nobody can name yet. */
const anyContent = '*'

interface Touch extends Result {
  readonly instance: string
  readonly gesture: number
  /** Somebody put a content there, and did not only bring it from somewhere else. */
  readonly isWork: boolean
}

function resultsByPath(gestures: readonly Gesture[], before: Tree): Map<FilePath, Touch[]> {
  const touched = new Map<FilePath, Touch[]>()
  const seen = new Set([...before.values()].map(({ hash }) => hash))
  for (const { results, touches = [], links, instance, number } of gestures) {
    const all = [...results, ...touches.map((path) => ({ path, hash: anyContent }))]
    for (const { path, hash } of all) {
      const isMoved = links.some(([, to]) => to === path) && seen.has(hash)
      const touch = { path, hash, instance, gesture: number, isWork: hash !== null && !isMoved }
      const known = touched.get(path)
      if (known === undefined) touched.set(path, [touch])
      else known.push(touch)
    }
    for (const { hash } of all) seen.add(hash)
  }
  return touched
}

/** Joins the paths between which a file may have moved, or which cannot stand together (a file and a folder). */
function groupPaths(
  gestures: readonly Gesture[],
  touched: ReadonlyMap<FilePath, readonly Touch[]>,
  before: Tree,
): {
  touchesOf(path: FilePath): readonly Touch[]
  actorsOf(path: FilePath): ReadonlySet<string>
} {
  const parents = new Map<FilePath, FilePath>()
  const rootOf = (path: FilePath): FilePath => {
    const parent = parents.get(path)
    if (parent === undefined || parent === path) return path
    const root = rootOf(parent)
    parents.set(path, root)
    return root
  }
  const join = (one: FilePath, other: FilePath) => parents.set(rootOf(one), rootOf(other))
  for (const { links } of gestures) for (const [from, to] of links) join(from, to)
  // Equal contents: one that goes here while another comes there is a move.
  const placeOf = new Map<ContentHash, FilePath>()
  const meet = (path: FilePath, hash: ContentHash | null) => {
    if (hash === null) return
    const other = placeOf.get(hash)
    if (other === undefined) placeOf.set(hash, path)
    else join(path, other)
  }
  for (const [path, { hash }] of before) meet(path, hash)
  for (const { results } of gestures) for (const { path, hash } of results) meet(path, hash)
  for (const path of touched.keys())
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const above = path.slice(0, slash)
      if (touched.has(above) || (before.get(above)?.hash ?? null) !== null) join(path, above)
    }
  const together = new Map<FilePath, Touch[]>()
  for (const [path, touches] of touched) {
    const root = rootOf(path)
    together.set(root, [...(together.get(root) ?? []), ...touches])
  }
  const touchesOf = (path: FilePath) => together.get(rootOf(path)) ?? []
  return { touchesOf, actorsOf: (path) => new Set(touchesOf(path).map(({ instance }) => instance)) }
}

function hasBelow(tree: Tree, path: FilePath): boolean {
  for (const other of tree.keys()) if (other.startsWith(`${path}/`)) return true
  return false
}
