/**
 * The port to the store that all instances share, in the protocol's own words (docs/spec/remote-format.md). It reads
 * and writes whole, verified objects and commits by one rename; it decides nothing about files.
 *
 * Every method rejects with a `DavitError` whose action tells what to do: `retry` (unreachable, busy, an answer that
 * does not parse), `ask` (wrong password, no store, newer format), `give-up`. Nothing that is returned is unverified.
 * An answer of the server is never believed where the names in the store can be looked at instead.
 */
import type {
  ChainPoint,
  Changeset,
  ChangesetHash,
  ChangesetHeader,
  CheckpointReference,
  ObjectName,
  Operation,
} from '../model/changeset.ts'
import type { ContentSink, ContentSource } from '../model/content.ts'
import type { ContentHash, InstanceId } from '../model/file-state.ts'

/** What `version/` holds. */
export type HeadListing =
  /** The folder or the whole store is not there, though the server answers plainly. */
  | { readonly kind: 'missing' }
  /** It is there and holds no name, also after looking again. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'one'; readonly head: ChainPoint }
  /** More than one name, also after looking again: a fork in the making. Healed by `healHeads`. */
  | { readonly kind: 'several'; readonly heads: readonly ChainPoint[] }

export type ChainReading =
  /** `known` is an ancestor of the head (or the head): `changesets` follow it, ascending, without a gap. */
  | { readonly kind: 'extends'; readonly count: number; readonly changesets: AsyncIterable<Changeset> }
  /**
   * The head's chain does not contain `known`. `ancestor` is the newest point that both share (by the caller's own
   * knowledge of earlier points), if any was found.
   */
  | { readonly kind: 'diverges'; readonly ancestor: ChainPoint | null; readonly head: ChainPoint }

export type CommitOutcome =
  /** The changeset is in the chain. `head` is where the chain stands now (it may have moved on). */
  | { readonly kind: 'won'; readonly head: ChainPoint }
  /** Another changeset has its place. */
  | { readonly kind: 'lost'; readonly head: ChainPoint }

/** Requests and bytes since the remote was opened, bodies and headers as far as known. */
export interface Traffic {
  readonly requests: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly byMethod: Readonly<Record<string, number>>
}

export interface RemoteInstance {
  readonly id: InstanceId
  readonly name: string
  readonly incarnation: string
  readonly version: number
  /** ISO 8601, UTC, by that instance's clock. */
  readonly seenAt: string
}

export type LockState =
  | { readonly kind: 'free' }
  /** `name` changes with each renewal. */
  | { readonly kind: 'held'; readonly name: string; readonly instance: InstanceId }

export interface HeldLock {
  /** Renames to a fresh token. `false`: it was broken or lost; stop before the next write. */
  renew(): Promise<boolean>
  release(): Promise<void>
}

export interface Remote {
  /** For messages, without credentials. */
  readonly url: string
  traffic(): Traffic

  /** The bytes of a changeset and its place in the chain. Pure. Throws `internal` beyond the bounds of one changeset. */
  encodeChangeset(
    header: ChangesetHeader,
    operations: readonly Operation[],
  ): { readonly point: ChainPoint; readonly bytes: Uint8Array }
  /** Checks size, hash, grammar and version of stored bytes. Pure. Throws `remote-damaged` or `remote-newer`. */
  decodeChangeset(point: ChainPoint, bytes: Uint8Array): Changeset

  /** The O(1) check: one HEAD request on the name of the head that is known. */
  check(known: ChainPoint): Promise<'unchanged' | 'changed'>
  /** Lists `version/`. Zero names or several are looked at three times, a second apart, before they are believed. */
  listHeads(): Promise<HeadListing>
  /** Deletes the losing names (never a changeset) as the protocol says and returns the head that is left. */
  healHeads(heads: readonly ChainPoint[]): Promise<ChainPoint>
  /** Makes the folders of a store and the head of version 0, when `version/` has no name yet. Repeatable and racy-safe. */
  createStore(): Promise<void>

  /** One changeset, verified against its name. Rejects with `remote-damaged` when it is missing or wrong. */
  readChangeset(point: ChainPoint): Promise<Changeset>
  /** Whether the changeset's object is in the store with the right bytes. Never guesses: rejects when it cannot tell. */
  hasChangeset(point: ChainPoint): Promise<boolean>
  /**
   * Walks from `head` back to `known` by the ancestors that each header names, then yields what lies between,
   * reading ahead in parallel. `knownHash(version)` tells the hash that the caller has at an earlier version.
   */
  readChain(
    known: ChainPoint,
    head: ChainPoint,
    knownHash: (version: number) => ChangesetHash | null,
    signal?: AbortSignal,
  ): Promise<ChainReading>

  /**
   * PUTs a changeset's bytes under its name. Done before `commit`. When it rejects, the name must not be used any more:
   * encode anew with another nonce. (An upload in doubt may still arrive, cut, over a repeated one.)
   */
  writeChangeset(point: ChainPoint, bytes: Uint8Array): Promise<void>
  /**
   * The rename that decides, and the look after every answer. The caller has stored the attempt durably before.
   * Resolves only when the outcome is known; rejects when the store cannot be reached (the outcome is then unknown
   * and is found by calling it again, or by reading the chain).
   */
  commit(parent: ChainPoint, point: ChainPoint, signal?: AbortSignal): Promise<CommitOutcome>

  /**
   * Uploads a content under a fresh name and returns the name. The bytes are hashed on their way: rejects with
   * `file-changed` when they are not those of `hash`, leaving an object that nobody references.
   */
  writeContent(hash: ContentHash, source: ContentSource, signal?: AbortSignal): Promise<ObjectName>
  /** Downloads and verifies. Rejects with `remote-damaged` (missing, or wrong after repeated reading). */
  readContent(
    name: ObjectName,
    expected: { readonly hash: ContentHash; readonly size: number },
    sink: ContentSink,
    signal?: AbortSignal,
  ): Promise<void>
  /** Whether the object is there with that size: one HEAD. */
  hasContent(name: ObjectName, size: number): Promise<boolean>

  /** Uploads a checkpoint under its name, and a copy as `metadata.db` for people (by COPY where the server can). */
  writeCheckpoint(
    point: ChainPoint,
    file: { readonly hash: ContentHash; readonly source: ContentSource },
    signal?: AbortSignal,
  ): Promise<CheckpointReference>
  readCheckpoint(reference: CheckpointReference, sink: ContentSink, signal?: AbortSignal): Promise<void>
  /** `format.json`, for people. */
  writeFormat(text: string): Promise<void>

  /** Writes this instance's small file under a fresh name and removes its older ones. */
  announceInstance(instance: RemoteInstance): Promise<void>
  listInstances(): Promise<RemoteInstance[]>

  /** The maintenance lock. `null`: held by somebody who is alive as far as can be told. Breaks a dead one, telling `onBroken`. */
  acquireLock(options: {
    readonly wait: boolean
    readonly signal?: AbortSignal
    readonly onWaiting?: (state: LockState) => void
    readonly onBroken?: (name: string) => void
  }): Promise<HeldLock | null>
  lockState(): Promise<LockState>

  close(): Promise<void>
}
