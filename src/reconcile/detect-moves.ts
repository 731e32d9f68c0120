/**
 * Tells moves from deletions and creations, after a scan found paths that lost their file and paths that got one.
 * In doubt it is no move: deletion and creation are always safe, and cost no transfer either.
 */
import type { ContentHash, DiskStamp, FileId, FilePath } from '../model/file-state.ts'
import { comparePaths } from '../model/path.ts'

/** A known file that is not where it was. */
export interface DisplacedRow {
  readonly id: FileId
  readonly path: FilePath
  /** As it was last seen; `null` when it was never seen on disk. */
  readonly stamp: DiskStamp | null
  /** `null` for folders. */
  readonly hash: ContentHash | null
  readonly size: number
  /** `replaced`: another inode stands at its path now, which is listed among the arrivals. */
  readonly how: 'vanished' | 'replaced'
}

/** What stands at a path now and did not before. */
export interface Arrival {
  readonly path: FilePath
  readonly stamp: DiskStamp
  readonly hash: ContentHash | null
  readonly size: number
  /** `replaced`: a known file stood here before, which is listed among the displaced. */
  readonly how: 'appeared' | 'replaced'
}

export interface Move {
  readonly id: FileId
  readonly from: FilePath
  readonly to: FilePath
}

/**
 * The moves, ascending by `from`; each row and each arrival is in at most one. A row without a move was deleted when
 * it vanished, and edited in place when it was replaced; an arrival without one is new when it appeared.
 */
export function detectMoves(input: {
  readonly displaced: readonly DisplacedRow[]
  readonly arrivals: readonly Arrival[]
}): Move[] {
  const moved = closedUnderReplacement(matchByInode(input.displaced, input.arrivals), input.displaced)
  const taken = new Set([...moved.values()].map(({ path }) => path))
  const rows = input.displaced.filter((row) => row.how === 'vanished' && !moved.has(row))
  const free = input.arrivals.filter(({ path, how }) => how === 'appeared' && !taken.has(path))
  for (const [row, arrival] of matchByContent(rows, free)) moved.set(row, arrival)
  return [...moved]
    .map(([{ id, path }, arrival]) => ({ id, from: path, to: arrival.path }))
    .sort((left, right) => comparePaths(left.from, right.from))
}

/** The same inode, once on either side: hard links match nothing. */
function matchByInode(
  displaced: readonly DisplacedRow[],
  arrivals: readonly Arrival[],
): Map<DisplacedRow, Arrival> {
  const rows = unique(displaced, ({ stamp }) => stamp?.inode)
  const found = unique(arrivals, ({ stamp }) => stamp.inode)
  const matches = new Map<DisplacedRow, Arrival>()
  for (const [inode, row] of rows) {
    const arrival = found.get(inode)
    if (arrival !== undefined && arrival.path !== row.path && isSameFile(row, arrival))
      matches.set(row, arrival)
  }
  return matches
}

/** Of two that have one inode. Inodes are reused: the birth time, or the content, has to agree. */
export function isSameFile(row: DisplacedRow, { stamp, hash }: Arrival): boolean {
  if ((row.hash === null) !== (hash === null)) return false
  const born = row.stamp?.birthtimeMs ?? 0
  return (born !== 0 && born === stamp.birthtimeMs) || row.hash === hash
}

/**
 * A path that was replaced stays with its file, since that is how editors save. Only where its new occupant and its
 * old one both moved as known files was it a chain or a swap. Drops matches until that holds for all that are left.
 */
function closedUnderReplacement(
  matches: Map<DisplacedRow, Arrival>,
  displaced: readonly DisplacedRow[],
): Map<DisplacedRow, Arrival> {
  const rowAt = new Map(displaced.map((row) => [row.path, row]))
  const sourceOf = new Map([...matches].map(([row, arrival]) => [arrival.path, row]))
  const drop = (row: DisplacedRow): DisplacedRow[] => {
    const arrival = matches.get(row)
    if (arrival === undefined) return []
    matches.delete(row)
    sourceOf.delete(arrival.path)
    // Whoever stood where this one would have gone, and whoever would have taken its place, has to be looked at again.
    return [rowAt.get(arrival.path), sourceOf.get(row.path)].filter((other) => other !== undefined)
  }
  const holds = (row: DisplacedRow): boolean => {
    const arrival = matches.get(row)
    if (arrival === undefined) return true
    const before = arrival.how === 'replaced' ? rowAt.get(arrival.path) : undefined
    if (arrival.how === 'replaced' && (before === undefined || !matches.has(before))) return false
    return row.how === 'vanished' || sourceOf.has(row.path)
  }
  const queue = [...matches.keys()]
  // Ends: each turn drops a match for good, or takes one from a queue that only drops lengthen.
  for (let row = queue.pop(); row !== undefined; row = queue.pop()) {
    if (!holds(row)) queue.push(...drop(row))
  }
  return matches
}

/** The same content, once on either side. Empty files are all alike and say nothing. */
function matchByContent(
  rows: readonly DisplacedRow[],
  arrivals: readonly Arrival[],
): Map<DisplacedRow, Arrival> {
  const key = ({ hash, size }: DisplacedRow | Arrival) =>
    hash === null || size === 0 ? undefined : `${size} ${hash}`
  const found = unique(arrivals, key)
  const matches = new Map<DisplacedRow, Arrival>()
  for (const [content, row] of unique(rows, key)) {
    const arrival = found.get(content)
    if (arrival !== undefined) matches.set(row, arrival)
  }
  return matches
}

/** What has a key that nothing else in the list has. */
function unique<T, K>(items: readonly T[], keyOf: (item: T) => K | undefined): Map<K, T> {
  const once = new Map<K, T>()
  const seen = new Set<K>()
  for (const item of items) {
    const key = keyOf(item)
    if (key === undefined) continue
    if (seen.has(key)) once.delete(key)
    else once.set(key, item)
    seen.add(key)
  }
  return once
}
