/**
 * The port to the local `metadata.db`: the three trees with their dirty set, the chain as far as this instance knows
 * it, conflicts, runs, events and settings. One connection, one writer. Everything is synchronous, so that a
 * transaction is a plain function and nothing in it can be interleaved.
 *
 * Promises: every write to a tree updates the dirty set in the same transaction; pages are read by key, never by
 * offset, so that memory is bounded by the page; counts are O(1).
 */
import type {
  ChainPoint,
  Changeset,
  ChangesetHash,
  CheckpointReference,
  ObjectName,
  StateDigest,
} from '../model/changeset.ts'
import type { Conflict, ConflictId, ResolutionStrategy } from '../model/conflict.ts'
import type { DavitEvent, EventDraft, EventType } from '../model/event.ts'
import type {
  ContentHash,
  FileId,
  FilePath,
  FileState,
  FileTriple,
  LocalFile,
  RemoteFile,
} from '../model/file-state.ts'
import type { JsonValue } from '../model/json.ts'
import type { Problem, RunKind, RunSummary, Trigger } from '../model/run.ts'

/**
 * How a row of the local tree stands in the scan that is under way. Only `settled` rows count for the dirty set as
 * they are: an `appeared` one is not there yet, a `vanished` one is still there, until moves have been recognised.
 */
export type Presence = 'settled' | 'appeared' | 'vanished'

export interface TreeCounts {
  /** Dirty files that a sync has to look at. */
  readonly pending: number
  /** Files whose modification time alone differs. */
  readonly minor: number
  /** Live files and folders of the remote tree. */
  readonly remoteFiles: number
  /** Rows of the local tree that are on disk: those with a stamp, `vanished` ones not. */
  readonly localFiles: number
}

export interface PathPage {
  /** Only this path and what is below it; `''` for everything. */
  readonly under?: FilePath
  /** Continue behind this path (exclusive). */
  readonly after?: FilePath
  /** Rows that share the last path of a page are all on it, so that it may be longer by those. */
  readonly limit: number
}

export interface FileQuery {
  readonly prefix?: string
  readonly label?: string
  readonly status?: 'synced' | 'pending' | 'conflict' | 'problem'
  /** `true`: tombstones only; default: live ones only (those that exist locally or remotely). */
  readonly deleted?: boolean
  readonly after?: FilePath
  readonly limit: number
}

export interface Trees {
  triple(id: FileId): FileTriple
  /** The remote entry alone, tombstone or not: a third of the work. */
  remoteOf(id: FileId): RemoteFile | null
  /** Of a `vanished` and an `appeared` row at one path the one that is on disk. */
  localAt(path: FilePath): LocalFile | null
  presenceOf(id: FileId): Presence | null
  /** The live file at a path of the remote tree; of two in the middle of a changeset the lower version, then id. */
  remoteAt(path: FilePath): RemoteFile | null
  /** The newest tombstone whose file last stood at that path with that content. */
  tombstoneAt(path: FilePath, hash: ContentHash | null): RemoteFile | null
  syncedAt(path: FilePath): FileId | null
  /** Whether anything lies below a folder path, in the tree named: no tombstones, no `vanished` rows. */
  hasBelow(tree: 'local' | 'remote' | 'synced', folder: FilePath): boolean
  /** Rows of the local tree in ascending order of path bytes; `vanished` ones included, `absence` ones too. */
  localPage(page: PathPage): LocalFile[]
  /** Live rows of the remote tree in the same order. */
  remotePage(page: PathPage): RemoteFile[]
  /** Dirty files by ascending id behind `after`; with `minor` also those. */
  dirtyPage(page: { readonly after?: FileId; readonly limit: number; readonly minor?: boolean }): FileTriple[]
  unsettledPage(
    presence: 'appeared' | 'vanished',
    page: { readonly after?: FileId; readonly limit: number },
  ): LocalFile[]
  /** Settled rows of the local tree that were last seen under that inode, by id: several when a file has several names. */
  settledByInode(inode: number): LocalFile[]
  /** For lists: joined over the trees, ascending by the path on disk, else by the remote one. */
  listFiles(query: FileQuery): FileTriple[]
  counts(): TreeCounts

  putLocal(file: LocalFile, presence?: Presence): void
  setPresence(id: FileId, presence: Presence): void
  removeLocal(id: FileId): void
  /** Gives a local row another id. `to` must have no local row. */
  rekeyLocal(from: FileId, to: FileId): void
  putSynced(id: FileId, state: FileState | null): void
  /** Inserts or replaces, tombstones too. */
  putRemote(file: RemoteFile): void
  /** Takes a row out of the remote tree altogether: the undoing of a creation. */
  removeRemote(id: FileId): void
  /**
   * Empties the remote and the synced tree, the contents, the history and the open conflicts (what the store tells
   * anew): before joining anew.
   */
  forgetRemote(): void
}

export interface ContentRow {
  readonly hash: ContentHash
  readonly size: number
  readonly name: ObjectName
}

export interface Contents {
  find(hash: ContentHash): ContentRow | null
  put(row: ContentRow): void
  remove(hash: ContentHash): void
}

export interface FileVersion {
  readonly fileId: FileId
  /** The version at which this state became current, and the one at which it ceased to be. */
  readonly version: number
  readonly untilVersion: number
  readonly state: FileState
}

export interface History {
  add(version: FileVersion): void
  /** Newest first. */
  ofFile(id: FileId, page: { readonly before?: number; readonly limit: number }): FileVersion[]
}

export interface ResolvedConflict {
  readonly conflict: Conflict
  readonly strategy: ResolutionStrategy | 'equal' | 'deleted'
  readonly version: number
  readonly at: string
}

export interface Conflicts {
  get(id: ConflictId): Conflict | null
  ofFile(id: FileId): Conflict[]
  /** Open conflicts by ascending id. */
  page(page: { readonly after?: ConflictId; readonly limit: number }): Conflict[]
  count(): number
  /** Opens or changes; the dirty set of the file follows. */
  put(conflict: Conflict): void
  /** Closes; the dirty set of the file follows. */
  resolve(
    id: ConflictId,
    how: { readonly strategy: ResolvedConflict['strategy']; readonly version: number; readonly at: string },
  ): void
  /** Takes an open conflict away without a trace: the undoing of its opening. */
  remove(id: ConflictId): void
  resolved(id: ConflictId): ResolvedConflict | null
}

/** A commit that was tried and whose outcome is not yet settled. */
export interface Attempt {
  readonly parent: ChainPoint
  readonly point: ChainPoint
  readonly bytes: Uint8Array
}

export interface Chain {
  /** What the remote tree stands for. `null`: this instance has joined no store yet. */
  point(): ChainPoint | null
  digest(): StateDigest
  replicaSet(): string | null
  checkpoint(): CheckpointReference | null
  /** Stored bytes of the changesets since the newest checkpoint. */
  bytesSinceCheckpoint(): number
  /** The hash that this instance knows for a version, from its journal or a checkpoint's chain. */
  hashAt(version: number): ChangesetHash | null
  /** The oldest version for which `hashAt` answers; `null` when none. */
  oldestKnown(): number | null
  /** Appends to the journal and moves `point`, `digest` and `checkpoint`. Rejects a changeset that does not follow. */
  append(changeset: Changeset): void
  /** The journal's bytes of one applied changeset; `null` when it was not kept. */
  bytesAt(version: number): Uint8Array | null
  /**
   * Moves back: forgets journal entries above `point`, and the history that they had made of states which are current
   * again. The trees, contents and conflicts are the caller's to take back.
   */
  rewind(to: {
    readonly point: ChainPoint
    readonly digest: StateDigest
    readonly checkpoint: CheckpointReference | null
  }): void
  /** Sets the chain as a checkpoint states it, forgetting what was there; attempts and orphans stay. */
  reset(state: {
    readonly replicaSet: string | null
    readonly point: ChainPoint | null
    readonly digest: StateDigest
    readonly checkpoint: CheckpointReference | null
    readonly chain: Iterable<ChainPoint>
  }): void
  /** Whether a later changeset of the journal says that it adopts this one. */
  isAdopted(hash: ChangesetHash): boolean
  attempts(): Attempt[]
  putAttempt(attempt: Attempt): void
  removeAttempt(hash: ChangesetHash): void
  /** Lost changesets of a fork whose effects this instance still has to take in: named in its next commit. */
  orphans(): ChangesetHash[]
  putOrphan(hash: ChangesetHash): void
  clearOrphans(hashes: readonly ChangesetHash[]): void
}

export interface Runs {
  start(run: {
    readonly runId: string
    readonly kind: RunKind
    readonly trigger: Trigger
    readonly startedAt: string
  }): void
  finish(summary: RunSummary): void
  get(runId: string): RunSummary | null
  /** Newest first; runs still under way are left out. `before` is a run id. */
  page(page: { readonly before?: string; readonly limit: number }): RunSummary[]
  prune(keep: number): void
}

export interface Events {
  append(draft: EventDraft, at: string, instance: string): DavitEvent
  since(id: number, limit: number, types?: readonly EventType[]): DavitEvent[]
  lastId(): number
  /** Ids keep growing after it. */
  prune(keep: number): void
}

export interface Settings {
  get(key: string): JsonValue | null
  set(key: string, value: JsonValue | null): void
}

/** Problems that stand, one for each path and code, so that each is told once. */
export interface Problems {
  /** `true` when it is new. */
  put(problem: Problem, at: string): boolean
  /** `true` when it was there. */
  clear(path: FilePath, code: string): boolean
  page(page: {
    readonly after?: { readonly path: FilePath; readonly code: string }
    readonly limit: number
  }): Problem[]
  count(): number
}

/** Files pulled since the last durability barrier: after an unclean stop of the machine they are verified by hash. */
export interface PulledFiles {
  add(file: { readonly id: FileId; readonly path: FilePath; readonly hash: ContentHash }): void
  all(): { readonly id: FileId; readonly path: FilePath; readonly hash: ContentHash }[]
  clear(): void
}

/**
 * Contents from the store that are being put into the workspace and are not in the local tree yet. What is left of it
 * after a crash tells what Davit placed from what somebody made.
 */
export interface ArrivingFiles {
  add(file: { readonly id: FileId; readonly path: FilePath; readonly hash: ContentHash }): void
  remove(id: FileId): void
  all(): { readonly id: FileId; readonly path: FilePath; readonly hash: ContentHash }[]
  clear(): void
}

/**
 * The whole state at one version as a checkpoint tells it. Each row is validated as it is read: the iterables throw
 * `remote-damaged`, the one that is read last of files, contents and conflicts also when the digest is another. So a
 * checkpoint is taken over within one transaction, all three read to their end.
 */
export interface CheckpointReader {
  readonly meta: {
    readonly format: 1
    readonly replicaSet: string
    readonly point: ChainPoint
    readonly digest: StateDigest
    /** The oldest version of `chain`. */
    readonly horizon: number
  }
  files(): Iterable<RemoteFile>
  versions(): Iterable<FileVersion>
  contents(): Iterable<ContentRow>
  conflicts(): Iterable<Conflict>
  /** Ascending, without a gap, ending at `point`. */
  chain(): Iterable<ChainPoint>
  close(): void
}

export interface Database {
  readonly trees: Trees
  readonly contents: Contents
  readonly history: History
  readonly conflicts: Conflicts
  readonly chain: Chain
  readonly runs: Runs
  readonly events: Events
  readonly settings: Settings
  readonly problems: Problems
  readonly pulled: PulledFiles
  readonly arriving: ArrivingFiles

  /** Runs `work` in one immediate transaction; rolls back when it throws. Nested calls join the outer one. */
  transaction<T>(work: () => T): T
  /** Waits until everything committed so far is on the disk (WAL checkpoint with full synchronisation). */
  makeDurable(): void
  /** Size of the database file and its WAL, in bytes. */
  sizeBytes(): number
  /**
   * Writes the remote side of this database as a checkpoint file at an absolute path, replacing what is there, and
   * reads it back. Not within a transaction.
   */
  writeCheckpoint(file: string): void
  /** Opens a downloaded checkpoint as the hostile file that it is. Rejects with `remote-damaged`. */
  openCheckpoint(file: string): CheckpointReader
  /** SQLite's own integrity check and the agreement of dirty set, counts and digest with the trees. */
  verify(): { readonly detail: string; readonly path?: FilePath }[]
  close(): void
}
