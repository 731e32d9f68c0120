/**
 * A running instance as the API, the command line and embedding programs see it: the verbs, each validated here and
 * nowhere else. `http/` and `cli/` only translate.
 *
 * Rejections are `DavitError`s: `not-found`, `conflict-stale` (409), `precondition-failed` (412), `bad-request` (400)
 * and those of the ports.
 */
import type { Hono } from 'hono'
import type { ConflictAspect, ConflictId, ConflictKind, ResolutionStrategy } from '../model/conflict.ts'
import type { DavitEvent, EventType } from '../model/event.ts'
import type { ContentHash, FileId, FileKind, FilePath, InstanceId, Metadata } from '../model/file-state.ts'
import type { JsonObject, JsonValue } from '../model/json.ts'
import type { Problem, RunKind, RunSummary, Trigger } from '../model/run.ts'

export type InstanceState = 'idle' | 'running' | 'halted' | 'unreachable' | 'stopping'

export interface StoredError {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly at: string
}

/** Answered from memory and counters: no request, no walk, no scan. */
export interface InstanceStatus {
  /** Its name, as everywhere in the API. */
  readonly instance: string
  readonly instanceId: InstanceId
  readonly mode: 'auto' | 'manual'
  readonly state: InstanceState
  /** The version that the workspace agreed with at the last run that ended. */
  readonly localVersion: number
  /** The newest version that was read from the store. */
  readonly remoteVersion: number
  readonly pending: number
  readonly conflicts: number
  readonly files: number
  readonly records: number
  readonly databaseBytes: number
  readonly lastRun: RunSummary | null
  readonly lastError: StoredError | null
  /** The maintenance lock in the store, as this instance last saw it. */
  readonly lock: { readonly held: boolean; readonly by: string | null }
  readonly nextRunAt: string | null
  readonly problems: number
  readonly workspace: string
  readonly remote: string
  readonly watch: 'native' | 'polling' | 'off'
}

export interface SyncRequest {
  readonly force?: boolean
  readonly full?: boolean
  readonly dryRun?: boolean
  /** The store may be made although it is a dry run: for setting up. */
  readonly setUp?: boolean
  /** Only these paths and what is below them are applied and committed. */
  readonly paths?: readonly FilePath[]
  readonly trigger?: Trigger
}

export interface SyncTicket {
  readonly runId: string
  readonly status: 'started' | 'queued'
  /** The request joined a run that another request had asked for already. */
  readonly coalesced: boolean
  /** Resolves with the summary, whatever the outcome; rejects only for the instance's own failures. */
  readonly finished: Promise<RunSummary>
}

export interface ConflictView {
  readonly id: ConflictId
  readonly kind: ConflictKind
  readonly path: FilePath
  readonly fileId: FileId
  readonly aspect: ConflictAspect
  readonly base: { readonly hash: ContentHash; readonly size: number; readonly value?: JsonValue } | null
  /** The committed side first, with `instance: "remote"`; the others by their instance's name. */
  readonly candidates: readonly {
    readonly instance: string
    readonly hash: ContentHash | null
    readonly size: number
    readonly at: string | null
    readonly value?: JsonValue
  }[]
  readonly mergeable: boolean
  /** Changes with every change to any side; send it back as `expected`. */
  readonly revision: string
  readonly detectedAt: string
}

export interface ResolveRequest {
  readonly strategy: ResolutionStrategy
  /** The name of the instance whose candidate is meant by `local`. */
  readonly candidate?: string
  /** The merged content for `merge`; without it the automatic merge is taken where it is clean. */
  readonly content?: Uint8Array
  /** The revision that the decision was made on. */
  readonly expected?: string
}

export interface ResolveResult {
  readonly conflict: ConflictView
  /** `false`: the store cannot be reached now; the resolution is kept and committed as soon as it can. */
  readonly committed: boolean
}

export type FileStatus = 'synced' | 'pending' | 'conflict' | 'problem'

export interface FileView {
  readonly id: FileId
  readonly path: FilePath
  readonly kind: FileKind
  readonly size: number
  readonly hash: ContentHash | null
  /** Unix permission bits as far as they are replicated: 0o755 or 0o644. */
  readonly mode: number
  /** ISO 8601, UTC. */
  readonly mtime: string
  readonly metadata: Metadata
  readonly status: FileStatus
  /** An opaque token that changes with each change; for `If-Match`. */
  readonly revision: string
  readonly deletedAt: string | null
}

export interface Page<T> {
  readonly items: readonly T[]
  readonly nextCursor: string | null
}

export interface FileFilter {
  readonly prefix?: string
  readonly label?: string
  readonly status?: FileStatus
  readonly deleted?: boolean
  readonly limit?: number
  readonly cursor?: string
}

export interface FileContent {
  readonly path: FilePath
  readonly size: number
  readonly hash: ContentHash | null
  readonly stream: AsyncIterable<Uint8Array>
}

export interface Discrepancy {
  readonly path: string
  readonly code: string
  readonly detail: string
}

export interface VerifyReport {
  readonly checked: { readonly files: number; readonly contents: number; readonly bytes: number }
  readonly discrepancies: readonly Discrepancy[]
  readonly repaired: number
  /** The store could not be reached: only the local side was looked at. */
  readonly unreachable: boolean
}

export interface HealthReport {
  readonly ready: boolean
  readonly workspace: 'writable' | 'read-only' | 'missing'
  readonly database: 'ok' | 'failing'
  readonly remote: 'reachable' | 'unreachable' | 'unknown'
  readonly watcher: 'native' | 'polling' | 'off' | 'failing'
}

export interface Instance {
  /** Starts a run, or joins the next one while one is under way. Never two at once. */
  sync(request?: SyncRequest): SyncTicket
  status(): InstanceStatus
  health(): Promise<HealthReport>
  /** Takes effect at once and is kept over restarts. */
  setMode(mode: 'auto' | 'manual'): void
  recover(choice: 'republish' | 'adopt'): Promise<RunSummary>
  verify(options: {
    readonly deep?: boolean
    readonly repair?: boolean
    readonly signal?: AbortSignal
    readonly onProgress?: (done: number, total: number) => void
  }): Promise<VerifyReport>

  readonly runs: {
    list(page: { readonly limit?: number; readonly cursor?: string }): Page<RunSummary>
    get(
      runId: string,
    ): RunSummary | { readonly runId: string; readonly kind: RunKind; readonly status: 'running' | 'queued' }
  }
  readonly conflicts: {
    list(page: { readonly limit?: number; readonly cursor?: string }): Promise<Page<ConflictView>>
    get(id: ConflictId): Promise<ConflictView>
    /** `side`: `base`, `local`, `remote`, `merged`, or an instance's name. For metadata: the value as JSON. */
    content(id: ConflictId, side: string): Promise<FileContent>
    resolve(id: ConflictId, request: ResolveRequest): Promise<ResolveResult>
  }
  readonly files: {
    list(filter: FileFilter): Page<FileView>
    get(id: FileId): FileView
    at(path: FilePath): FileView
    content(id: FileId): Promise<FileContent>
    /** Writes the workspace's file; the next run replicates it. `created` tells whether it was not there. */
    put(
      path: FilePath,
      content: AsyncIterable<Uint8Array>,
      options: { readonly ifMatch?: string },
    ): Promise<{ readonly file: FileView; readonly created: boolean }>
    delete(id: FileId, options: { readonly ifMatch?: string }): Promise<FileView>
    move(id: FileId, path: FilePath, options: { readonly ifMatch?: string }): Promise<FileView>
    /** JSON merge patch (RFC 7396) of the metadata. */
    patchMetadata(id: FileId, patch: JsonObject, options: { readonly ifMatch?: string }): Promise<FileView>
  }
  readonly problems: { list(page: { readonly limit?: number; readonly cursor?: string }): Page<Problem> }
  readonly events: {
    /** Events after `id`, oldest first. */
    since(id: number, limit: number, types?: readonly EventType[]): DavitEvent[]
    lastId(): number
    /** Called in order, each event once, in a later turn. Returns the unsubscribing function. */
    subscribe(listener: (event: DavitEvent) => void): () => void
  }
  /** The same as `events.subscribe`, for embedding programs; `'*'` for all types. */
  on(type: EventType | '*', listener: (event: DavitEvent) => void): () => void

  /** The HTTP API as a Hono app, to be mounted or served. */
  readonly routes: Hono
  /** Finishes the step in hand, gives back the lock, closes everything. Safe to call twice. */
  close(): Promise<void>
}
