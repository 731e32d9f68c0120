/**
 * Puts the local changes of a batch into an order in which no step finds its path taken:
 *
 *   removals of files → moves (each when the path it takes is free; a cycle is opened by parking one file)
 *   → folders made → contents placed → folders left empty removed, deepest first
 *
 * Where a path changes its kind from folder to file, the emptied folders go right before the file comes. Paths that
 * differ only in case or normalisation count as one, so that the order holds on any disk.
 */
import type { FileId, FileKind, FilePath } from '../model/file-state.ts'
import { ancestorsOf, comparePaths } from '../model/path.ts'
import { foldPath } from './portable-path.ts'

/** What becomes of one file or folder entry on disk. `null`: not there. */
export interface LocalChange {
  readonly id: FileId
  readonly kind: FileKind
  readonly from: FilePath | null
  readonly to: FilePath | null
  /** A new content comes to `to`. Always so for a file that was not there. Meaningless for folders. */
  readonly content: boolean
}

export type Step =
  /** Removes a file. */
  | { readonly kind: 'remove'; readonly id: FileId; readonly path: FilePath }
  /** A file, or a folder entry whose name changes only in case. */
  | { readonly kind: 'move'; readonly id: FileId; readonly from: FilePath; readonly to: FilePath }
  /** Takes a file aside until `unpark`. */
  | { readonly kind: 'park'; readonly id: FileId; readonly path: FilePath }
  | { readonly kind: 'unpark'; readonly id: FileId; readonly path: FilePath }
  | { readonly kind: 'make-folder'; readonly id: FileId; readonly path: FilePath }
  /** Puts a new content at the path, over the file's old one if it stands there. */
  | { readonly kind: 'place'; readonly id: FileId; readonly path: FilePath }
  /** The entry is gone or stands elsewhere: removes the folder if it is empty. */
  | { readonly kind: 'remove-folder'; readonly id: FileId; readonly path: FilePath }
  /** Something left this folder: removes it if it is empty and no entry of its own stands there. */
  | { readonly kind: 'prune'; readonly path: FilePath }

/**
 * Both the present and the intended paths have to fit one tree: no two at one path, nothing below a file. Each id at
 * most once. The result does not depend on the order of `changes`.
 */
export function orderSteps(changes: readonly LocalChange[]): Step[] {
  const files = changes.filter(({ kind }) => kind === 'file').sort(byPaths)
  const entries = changes.filter(({ kind }) => kind === 'folder').sort(byPaths)
  const folders = new VacatedFolders(files, entries)
  const steps: Step[] = []
  for (const { id, from, to } of files) {
    if (from !== null && to === null) steps.push({ kind: 'remove', id, path: from })
  }
  orderMoves(files, folders, steps)
  makeFolders(entries, folders, steps)
  for (const { id, from, to, content } of files) {
    if (to === null || !(content || from === null)) continue
    steps.push(...folders.clearFor(to), { kind: 'place', id, path: to })
  }
  steps.push(...folders.rest())
  return steps
}

interface Move {
  readonly id: FileId
  readonly from: FilePath
  readonly to: FilePath
  /** Moves that have to leave before this one can arrive; itself when it goes into or out of its own path. */
  readonly waitsFor: Set<Move>
  parked: boolean
}

function orderMoves(files: readonly LocalChange[], folders: VacatedFolders, steps: Step[]): void {
  const moves = files.flatMap(({ id, from, to }): Move[] =>
    from === null || to === null || from === to ? [] : [{ id, from, to, waitsFor: new Set(), parked: false }],
  )
  const waiting = linkMoves(moves)
  const pending = new Set(moves)
  const ready = moves.filter(({ waitsFor }) => waitsFor.size === 0)
  let next = 0
  const leave = (gone: Move) => {
    for (const other of waiting.get(gone) ?? []) {
      if (other.waitsFor.delete(gone) && other.waitsFor.size === 0) ready.push(other)
    }
  }
  // Ends: each turn takes one move out of `pending`, or parks one that was not parked.
  while (pending.size > 0) {
    for (let move = ready[next]; move !== undefined; move = ready[++next]) {
      const { id, from, to, parked } = move
      pending.delete(move)
      steps.push(...folders.clearFor(to))
      steps.push(parked ? { kind: 'unpark', id, path: to } : { kind: 'move', id, from, to })
      if (!parked) leave(move)
    }
    const stuck = onCycle(pending)
    if (stuck === undefined) return
    steps.push({ kind: 'park', id: stuck.id, path: stuck.from })
    stuck.parked = true
    leave(stuck)
  }
}

/** Fills `waitsFor`; gives for each move the ones that wait for it. */
function linkMoves(moves: readonly Move[]): Map<Move, Move[]> {
  const at = new Map<string, Move[]>()
  const below = new Map<string, Move[]>()
  for (const move of moves) {
    const from = foldPath(move.from)
    append(at, from, move)
    for (const folder of ancestorsOf(from)) append(below, folder, move)
  }
  const waiting = new Map<Move, Move[]>()
  for (const move of moves) {
    const to = foldPath(move.to)
    // A change of case only is one rename: the file may stand in its own way there.
    const standing = (at.get(to) ?? []).filter((other) => other !== move)
    const above = ancestorsOf(to).flatMap((folder) => at.get(folder) ?? [])
    for (const other of [...standing, ...above, ...(below.get(to) ?? [])]) {
      if (move.waitsFor.has(other)) continue
      move.waitsFor.add(other)
      append(waiting, other, move)
    }
  }
  return waiting
}

/** When nothing is ready, every pending move waits for a pending one: following that comes back to a move. */
function onCycle(pending: ReadonlySet<Move>): Move | undefined {
  const seen = new Set<Move>()
  let [move] = pending
  while (move !== undefined && !seen.has(move)) {
    seen.add(move)
    ;[move] = move.waitsFor
  }
  return move
}

function makeFolders(entries: readonly LocalChange[], folders: VacatedFolders, steps: Step[]): void {
  for (const { id, from, to } of entries) {
    if (to === null || from === to) continue
    if (from !== null && folders.takeRespelled(from, to)) {
      steps.push({ kind: 'move', id, from, to })
    } else {
      steps.push(...folders.clearFor(to), { kind: 'make-folder', id, path: to })
    }
  }
}

/** Folders that lose something, or their own entry, in this batch: those that may have to go from disk. */
class VacatedFolders {
  /** Folded path → spelling → the entry that leaves, or `null` for a folder that only held what leaves. */
  private readonly leaving = new Map<string, Map<FilePath, FileId | null>>()
  /** Folded path of what is to come → folders at or below it. */
  private readonly under = new Map<string, FilePath[]>()
  /** Folded path → how many changes name it or something below it. */
  private readonly mentions = new Map<string, number>()

  constructor(files: readonly LocalChange[], entries: readonly LocalChange[]) {
    // What has something in it afterwards, or an entry, stays.
    const changes = [...files, ...entries]
    const needed = new Set(changes.flatMap(({ to }) => (to === null ? [] : ancestorsOf(to))))
    for (const { to } of entries) if (to !== null) needed.add(to)
    for (const { from, to } of changes) {
      if (from === null || from === to) continue
      for (const folder of ancestorsOf(from)) if (!needed.has(folder)) this.add(folder, null)
    }
    for (const { id, from, to } of entries) {
      if (from !== null && from !== to && !needed.has(from)) this.add(from, id)
    }
    for (const { from, to } of changes) {
      const named = [from, to].filter((path) => path !== null).map((path) => foldPath(path))
      for (const path of new Set(named.flatMap((folded) => [folded, ...ancestorsOf(folded)]))) {
        this.mentions.set(path, (this.mentions.get(path) ?? 0) + 1)
      }
    }
    const coming = new Set(changes.flatMap(({ to }) => (to === null ? [] : [foldPath(to)])))
    for (const spellings of this.leaving.values()) {
      for (const folder of spellings.keys()) {
        const folded = foldPath(folder)
        for (const place of [folded, ...ancestorsOf(folded)]) {
          if (coming.has(place)) append(this.under, place, folder)
        }
      }
    }
  }

  /**
   * What has to go before something can stand at `path`: emptied folders at and below it. Before a folder, these are
   * other spellings of it, which a disk that ignores case would take for it, and lose it with them later.
   */
  clearFor(path: FilePath): Step[] {
    return (this.under.get(foldPath(path)) ?? []).sort(deepestFirst).flatMap((folder) => this.take(folder))
  }

  /**
   * Whether the folder only changes its spelling: one rename then, because on a disk that ignores case making the one
   * and removing the other would remove both. Not when anything else has to do with it, or it is gone already.
   */
  takeRespelled(from: FilePath, to: FilePath): boolean {
    const folded = foldPath(from)
    if (folded !== foldPath(to) || this.mentions.get(folded) !== 1) return false
    return this.take(from).length > 0
  }

  /** What is left to remove at the end, deepest first. */
  rest(): Step[] {
    const left = [...this.leaving.values()].flatMap((spellings) => [...spellings.keys()])
    return left.sort(deepestFirst).flatMap((folder) => this.take(folder))
  }

  private add(folder: FilePath, entry: FileId | null): void {
    const folded = foldPath(folder)
    const spellings = this.leaving.get(folded) ?? new Map<FilePath, FileId | null>()
    spellings.set(folder, entry ?? spellings.get(folder) ?? null)
    this.leaving.set(folded, spellings)
  }

  private take(folder: FilePath): Step[] {
    const spellings = this.leaving.get(foldPath(folder))
    const entry = spellings?.get(folder)
    spellings?.delete(folder)
    if (entry === undefined) return []
    return [
      entry === null ? { kind: 'prune', path: folder } : { kind: 'remove-folder', id: entry, path: folder },
    ]
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

function byPaths(left: LocalChange, right: LocalChange): number {
  return (
    comparePaths(left.to ?? '', right.to ?? '') ||
    comparePaths(left.from ?? '', right.from ?? '') ||
    comparePaths(left.id, right.id)
  )
}

function deepestFirst(left: FilePath, right: FilePath): number {
  return right.split('/').length - left.split('/').length || comparePaths(left, right)
}
