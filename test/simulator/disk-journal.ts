/**
 * What a power cut leaves of the simulated disk. The model, in the way of ALICE (Pillai et al., OSDI 2014):
 *
 * - What an fsync has covered survives: of a file its bytes and attributes, of a folder the names in it. A new folder
 *   is a name in the folder above, which needs its own fsync, or all that is below is gone.
 * - Names. Each call that made, removed or replaced a name since is kept or dropped. `reordered`: any of them, on its
 *   own; `ordered`: as a journal has them, up to some point. Kept is only what could have been done on the disk as it
 *   is then: the changes of one name in their order; nothing inside a folder whose making was dropped; a folder goes
 *   only after what was moved out of it; the moves of folders in their order. A rename is one change, however many
 *   folders it concerns. A link and the removal of the other name are two.
 * - Bytes. Of each file that was written to since its last fsync: the old content, or the new one, or a mixture of
 *   both by pages at a length in between; what was never written is zeros (`reordered` only; a journal that orders
 *   data before names has none). A file that was never synced may so be empty, short, or full of zeros.
 *   Attributes: the old or the new ones.
 * - What was done more than `settleMs` ago has reached the disk by itself.
 *
 * Nothing is invented: each byte was written at its place of that file, or is zero.
 */
import type { Random } from '../../src/model/clock.ts'
import { blockBytes, type DiskNode, type Entry } from './disk-node.ts'

export type WriteBack = 'ordered' | 'reordered'

/** One name before and after a call. */
interface NameEdit {
  readonly folder: DiskNode
  readonly key: string
  readonly before: Entry | undefined
  readonly after: Entry | undefined
}

export interface NameChange {
  readonly edits: readonly NameEdit[]
  /** What has to be on the disk before this can be. */
  readonly after: readonly NameChange[]
  /** The folder that it made. */
  readonly made: DiskNode | null
  readonly atMs: number
  isDurable: boolean
  /** Durable, and so are the folders above. */
  isAnchored: boolean
  isKept: boolean
}

const pendingBeforePruning = 512
const noChanges: readonly NameChange[] = []

export class Journal {
  private readonly writeBack: WriteBack
  private readonly settleMs: number
  private readonly now: () => number
  private readonly put: (folder: DiskNode, key: string, entry: Entry | undefined) => void
  private readonly dirty = new Set<DiskNode>()
  private changes: NameChange[] = []
  private lastFolderMove: NameChange | null = null
  private pruneAt = pendingBeforePruning

  constructor(options: {
    readonly writeBack: WriteBack
    readonly settleMs: number
    readonly now: () => number
    /** Sets or removes a name, with the counts and parents that hang on it. */
    readonly put: (folder: DiskNode, key: string, entry: Entry | undefined) => void
  }) {
    this.writeBack = options.writeBack
    this.settleMs = options.settleMs
    this.now = options.now
    this.put = options.put
  }

  /** Makes the change of one name, or of two at once. */
  change(
    edits: readonly NameEdit[],
    how: {
      readonly made?: DiskNode
      /** A folder that is no more. */
      readonly gone?: DiskNode
      readonly isFolderMove?: boolean
    } = {},
  ): void {
    let after: NameChange[] | null = null
    for (const { folder, key } of edits) {
      const earlier = folder.pending?.get(key)
      if (earlier !== undefined) {
        after ??= []
        after.push(earlier)
      }
    }
    if (how.gone !== undefined && (how.gone.pending?.size ?? 0) > 0) {
      after ??= []
      for (const change of this.changes)
        if (change.edits.some(({ folder }) => folder === how.gone)) after.push(change)
    }
    if (how.isFolderMove === true && this.lastFolderMove !== null) {
      after ??= []
      after.push(this.lastFolderMove)
    }
    const change: NameChange = {
      edits,
      after: after ?? noChanges,
      made: how.made ?? null,
      atMs: this.now(),
      isDurable: false,
      isAnchored: false,
      isKept: false,
    }
    for (const { folder, key, after } of edits) {
      this.put(folder, key, after)
      folder.pending?.set(key, change)
    }
    if (how.isFolderMove === true) this.lastFolderMove = change
    this.changes.push(change)
    if (this.changes.length >= this.pruneAt) this.settleOld()
  }

  /** The bytes or attributes of a file have changed. */
  touch(node: DiskNode): void {
    node.dirtyAtMs = this.now()
    this.dirty.add(node)
  }

  settleData(node: DiskNode): void {
    node.settleData()
    this.dirty.delete(node)
  }

  /** As fsync of a folder does: the names in it are on the disk, though perhaps not the folder itself. */
  settleFolder(folder: DiskNode): void {
    if (folder.pending?.size === 0) return
    for (const change of this.changes)
      if (!change.isDurable && change.edits.some((edit) => edit.folder === folder))
        this.settle(change, { withFolders: false })
    this.prune()
  }

  /** A name, the folders above it, and whatever had to come before. */
  settleName(folder: DiskNode, key: string): void {
    for (let above: DiskNode | null = folder, name = key; above !== null; ) {
      const change = above.pending?.get(name)
      if (change !== undefined) this.settle(change, { withFolders: true })
      name = above.key
      above = above.parent
    }
  }

  settleAll(): void {
    for (const change of this.changes) change.isDurable = true
    this.prune()
    for (const node of this.dirty) node.settleData()
    this.dirty.clear()
  }

  /** Whether anything may still be lost. */
  get isSettled(): boolean {
    return this.changes.length === 0 && this.dirty.size === 0
  }

  /** Into a fresh journal of a copied tree. */
  copyTo(target: Journal, copyOf: (node: DiskNode) => DiskNode): void {
    const copies = new Map<NameChange, NameChange>()
    const entryOf = (entry: Entry | undefined) =>
      entry === undefined ? undefined : { name: entry.name, node: copyOf(entry.node) }
    for (const change of this.changes) {
      const copy: NameChange = {
        ...change,
        edits: change.edits.map(({ folder, key, before, after }) => ({
          folder: copyOf(folder),
          key,
          before: entryOf(before),
          after: entryOf(after),
        })),
        // What is not among the changes any more is on the disk.
        after: change.after.flatMap((earlier) => copies.get(earlier) ?? []),
        made: change.made === null ? null : copyOf(change.made),
      }
      copies.set(change, copy)
      target.changes.push(copy)
      for (const { folder, key } of copy.edits) folder.pending?.set(key, copy)
    }
    for (const node of this.dirty) target.dirty.add(copyOf(node))
    target.pruneAt = this.pruneAt
    target.lastFolderMove = this.lastFolderMove === null ? null : (copies.get(this.lastFolderMove) ?? null)
  }

  powerCut(random: Random): void {
    this.settleOld()
    this.cutNames(random)
    this.cutBytes(random)
  }

  private settle(change: NameChange, how: { readonly withFolders: boolean }): void {
    if (how.withFolders ? change.isAnchored : change.isDurable) return
    if (this.writeBack === 'ordered') {
      for (const earlier of this.changes) {
        earlier.isDurable = true
        if (earlier === change) return
      }
      return
    }
    change.isDurable = true
    if (how.withFolders) {
      change.isAnchored = true
      for (const { folder, after } of change.edits)
        if (after !== undefined && folder.parent !== null) this.settleName(folder.parent, folder.key)
    }
    for (const earlier of change.after) this.settle(earlier, { withFolders: true })
  }

  private settleOld(): void {
    const before = this.now() - this.settleMs
    const last = this.changes.findLastIndex((change) => change.atMs < before)
    for (const change of this.changes.slice(0, last + 1)) change.isDurable = true
    this.prune()
    for (const node of this.dirty) if ((node.dirtyAtMs ?? before) < before) this.settleData(node)
    this.pruneAt = Math.max(pendingBeforePruning, 2 * this.changes.length)
  }

  /** What is on the disk for good is forgotten, unless the folder that it is in may still be lost. */
  private prune(): void {
    const settled = this.changes.filter((change) => change.isDurable && !change.edits.some(isInDoubt))
    if (settled.length === 0) return
    const gone = new Set(settled)
    for (const change of settled)
      for (const { folder, key } of change.edits)
        if (folder.pending?.get(key) === change) folder.pending.delete(key)
    this.changes = this.changes.filter((change) => !gone.has(change))
    if (this.lastFolderMove?.isDurable === true) this.lastFolderMove = null
  }

  private cutNames(random: Random): void {
    const { changes } = this
    const share = shareOf(random)
    let sure = 0
    changes.forEach((change, index) => {
      if (change.isDurable) sure = index + 1
    })
    const until = sure + Math.round(share * (changes.length - sure))
    for (const change of [...changes].reverse())
      for (const { folder, key, before } of [...change.edits].reverse()) this.put(folder, key, before)
    changes.forEach((change, index) => {
      const isPossible = change.edits.every(({ folder, after }) => after === undefined || !folder.isLost)
      const isChosen =
        change.isDurable ||
        (this.writeBack === 'ordered'
          ? index < until
          : change.after.every((earlier) => earlier.isDurable || earlier.isKept) && random.fraction() < share)
      change.isKept = isPossible && isChosen
      if (change.isKept) for (const { folder, key, after } of change.edits) this.put(folder, key, after)
      else if (change.made !== null) change.made.isLost = true
    })
    for (const change of changes) for (const { folder } of change.edits) folder.pending?.clear()
    this.changes = []
    this.lastFolderMove = null
    this.pruneAt = pendingBeforePruning
  }

  private cutBytes(random: Random): void {
    for (const node of this.dirty) {
      tear(node, random, this.writeBack)
      node.settleData()
    }
    this.dirty.clear()
  }
}

/** The folder of a name is itself not on the disk for good. */
function isInDoubt({ folder }: NameEdit): boolean {
  for (let here = folder; here.parent !== null; here = here.parent) {
    const change = here.parent.pending?.get(here.key)
    if (change !== undefined && !change.isDurable) return true
  }
  return false
}

/** Nothing, everything, and what lies between, each often enough. */
function shareOf(random: Random): number {
  const choice = random.fraction()
  if (choice < 0.2) return 0
  if (choice < 0.4) return 1
  return random.fraction()
}

/** Leaves of a file what may have reached the disk. */
function tear(node: DiskNode, random: Random, writeBack: WriteBack): void {
  const { synced } = node
  if (synced !== null && random.fraction() < 0.5) {
    node.mode = synced.mode
    node.uid = synced.uid
    node.gid = synced.gid
    node.mtimeMs = synced.mtimeMs
  }
  const oldSize = synced?.size ?? 0
  const choice = random.fraction()
  if (choice < 0.3) return
  if (choice < 0.6) {
    node.bytes = synced?.bytes ?? new Uint8Array(0)
    node.size = oldSize
    node.isShared = true
    return
  }
  const kept = node.wasCut ? 0 : oldSize
  const least = Math.min(kept, node.size)
  const most = Math.max(kept, node.size)
  const size =
    random.fraction() < 0.4 ? node.size : least + Math.floor(random.fraction() * (most - least + 1))
  const mixed = new Uint8Array(size)
  for (let from = 0; from < size; from += blockBytes) {
    const until = Math.min(from + blockBytes, size)
    const isNew = random.fraction() < 0.5 || (writeBack === 'ordered' && until > kept)
    if (from < kept && synced !== null) mixed.set(synced.bytes.subarray(from, Math.min(until, kept)), from)
    if (from < node.size && isNew) mixed.set(node.bytes.subarray(from, Math.min(until, node.size)), from)
  }
  node.bytes = mixed
  node.size = size
  node.isShared = false
}
