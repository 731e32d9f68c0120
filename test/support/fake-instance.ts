/** An instance without an engine: answers from plain values and notes what it was asked. */
import type { ApiInstance } from '../../src/http/api-context.ts'
import type {
  ConflictView,
  FileView,
  InstanceStatus,
  ResolveRequest,
  SyncRequest,
  VerifyReport,
} from '../../src/instance/instance.ts'
import { DavitError } from '../../src/model/errors.ts'
import type { DavitEvent, EventDraft, EventType } from '../../src/model/event.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { Problem, RunSummary } from '../../src/model/run.ts'

export const hashA = 'a'.repeat(64)

export function aFile(change: Partial<FileView> = {}): FileView {
  return {
    id: '0190aaaa-0000-7000-8000-000000000001',
    path: 'notes/plan.md',
    kind: 'file',
    size: 5,
    hash: hashA,
    mode: 0o644,
    mtime: '2025-01-01T00:00:00.000Z',
    metadata: {},
    status: 'synced',
    revision: 'r1',
    deletedAt: null,
    ...change,
  }
}

export function aRun(change: Partial<RunSummary> = {}): RunSummary {
  return {
    runId: 'run-1',
    kind: 'incremental',
    trigger: 'request',
    outcome: 'in-sync',
    version: 7,
    uploaded: 0,
    downloaded: 0,
    deleted: 0,
    moved: 0,
    metadata: 0,
    conflicts: 0,
    problems: [],
    requests: 1,
    bytesSent: 0,
    bytesReceived: 120,
    startedAt: '2025-01-01T00:00:00.000Z',
    endedAt: '2025-01-01T00:00:01.000Z',
    durationMs: 1000,
    phases: { check: 4 },
    ...change,
  }
}

export function aConflict(change: Partial<ConflictView> = {}): ConflictView {
  return {
    id: 'c'.repeat(32),
    kind: 'edit',
    path: 'notes/plan.md',
    fileId: '0190aaaa-0000-7000-8000-000000000001',
    aspect: 'content',
    base: { hash: 'b'.repeat(64), size: 3 },
    candidates: [
      { instance: 'remote', hash: hashA, size: 5, at: null },
      { instance: 'laptop', hash: 'd'.repeat(64), size: 6, at: '2025-01-01T00:00:00.000Z' },
    ],
    mergeable: false,
    revision: 'cr1',
    detectedAt: '2025-01-01T00:00:00.000Z',
    ...change,
  }
}

function missing(what: string): DavitError {
  return new DavitError('not-found', `there is no such ${what}`, { action: 'give-up' })
}

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

async function collect(content: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces).toString('utf8')
}

export class FakeInstance implements ApiInstance {
  /** Every call that would change something, in order. */
  readonly calls: [string, unknown][] = []
  readonly stored: DavitEvent[] = []
  readonly listeners = new Set<(event: DavitEvent) => void>()
  fileList: FileView[] = [aFile()]
  conflictList: ConflictView[] = [aConflict()]
  runList: RunSummary[] = [aRun()]
  problemList: Problem[] = []
  summary: RunSummary = aRun()
  report: VerifyReport = {
    checked: { files: 1, contents: 0, bytes: 0 },
    discrepancies: [],
    repaired: 0,
    unreachable: false,
  }
  /** Thrown by the next call of a verb that changes something. */
  failure: unknown = null
  isCommitted = true
  isReady = true
  isRunning = false
  contents = new Map<string, string>([['notes/plan.md', 'hello']])
  mode: 'auto' | 'manual' = 'auto'

  #note(verb: string, argument: unknown): void {
    this.calls.push([verb, argument])
    if (this.failure !== null) throw this.failure
  }

  sync(request: SyncRequest = {}) {
    this.#note('sync', request)
    return {
      runId: 'run-1',
      status: this.isRunning ? ('queued' as const) : ('started' as const),
      coalesced: this.isRunning,
      finished: Promise.resolve(this.summary),
    }
  }

  status(): InstanceStatus {
    return {
      instance: 'archive-1',
      instanceId: '0190aaaa-0000-7000-8000-00000000000f',
      mode: this.mode,
      state: 'idle',
      localVersion: 7,
      remoteVersion: 7,
      pending: 0,
      conflicts: this.conflictList.length,
      files: this.fileList.length,
      records: 0,
      databaseBytes: 4096,
      lastRun: this.summary,
      lastError: null,
      lock: { held: false, by: null },
      nextRunAt: null,
      problems: this.problemList.length,
      workspace: '/srv/documents',
      remote: 'https://dav.example.org/team',
      watch: 'native',
    }
  }

  async health() {
    return {
      ready: this.isReady,
      workspace: 'writable' as const,
      database: 'ok' as const,
      remote: this.isReady ? ('reachable' as const) : ('unreachable' as const),
      watcher: 'native' as const,
    }
  }

  setMode(mode: 'auto' | 'manual'): void {
    this.#note('setMode', mode)
    this.mode = mode
  }

  async recover(choice: 'republish' | 'adopt') {
    this.#note('recover', choice)
    return this.summary
  }

  async verify(options: {
    readonly deep?: boolean
    readonly repair?: boolean
    readonly signal?: AbortSignal
  }) {
    const { signal: _signal, ...rest } = options
    this.#note('verify', rest)
    return this.report
  }

  readonly runs = {
    list: (page: { readonly limit?: number; readonly cursor?: string }) => {
      const from = Number(page.cursor ?? 0)
      const to = from + (page.limit ?? 100)
      return {
        items: this.runList.slice(from, to),
        nextCursor: to < this.runList.length ? String(to) : null,
      }
    },
    get: (runId: string) => {
      if (runId === 'run-now') return { runId, kind: 'incremental' as const, status: 'running' as const }
      const run = this.runList.find((each) => each.runId === runId)
      if (run === undefined) throw missing('run')
      return run
    },
  }

  readonly conflicts = {
    list: async () => ({ items: this.conflictList, nextCursor: null }),
    get: async (id: string) => {
      const conflict = this.conflictList.find((each) => each.id === id)
      if (conflict === undefined) throw missing('conflict')
      return conflict
    },
    content: async (id: string, side: string) => {
      const { path } = await this.conflicts.get(id)
      return { path, size: side.length, hash: hashA, stream: bytes(side) }
    },
    resolve: async (id: string, request: ResolveRequest) => {
      const conflict = await this.conflicts.get(id)
      this.#note('resolve', { id, ...request })
      if (request.expected !== undefined && request.expected !== conflict.revision) {
        throw new DavitError('conflict-stale', 'the conflict has changed', {
          action: 'ask',
          hint: 'Look at it again.',
        })
      }
      return { conflict, committed: this.isCommitted }
    },
  }

  #find(id: string, ifMatch: string | undefined): FileView {
    const file = this.fileList.find((each) => each.id === id)
    if (file === undefined) throw missing('file')
    if (ifMatch !== undefined && ifMatch !== file.revision) {
      throw new DavitError('precondition-failed', 'the file has changed', { action: 'ask' })
    }
    return file
  }

  readonly files = {
    list: (filter: object) => {
      this.calls.push(['files.list', filter])
      return { items: this.fileList, nextCursor: null }
    },
    get: (id: string) => this.#find(id, undefined),
    at: (path: string) => {
      const file = this.fileList.find((each) => each.path === path)
      if (file === undefined) throw missing('file')
      return file
    },
    content: async (id: string) => {
      const { path, hash } = this.#find(id, undefined)
      const text = this.contents.get(path) ?? ''
      return { path, size: Buffer.byteLength(text), hash, stream: bytes(text) }
    },
    put: async (path: string, content: AsyncIterable<Uint8Array>, options: { readonly ifMatch?: string }) => {
      const known = this.fileList.find((each) => each.path === path)
      if (known !== undefined) this.#find(known.id, options.ifMatch)
      const text = await collect(content)
      this.#note('put', { path, text, ...options })
      this.contents.set(path, text)
      return { file: known ?? aFile({ path }), created: known === undefined }
    },
    delete: async (id: string, options: { readonly ifMatch?: string }) => {
      const file = this.#find(id, options.ifMatch)
      this.#note('delete', { id, ...options })
      return { ...file, deletedAt: '2025-01-02T00:00:00.000Z' }
    },
    move: async (id: string, path: string, options: { readonly ifMatch?: string }) => {
      const file = this.#find(id, options.ifMatch)
      this.#note('move', { id, path, ...options })
      return { ...file, path }
    },
    patchMetadata: async (id: string, patch: JsonObject, options: { readonly ifMatch?: string }) => {
      const file = this.#find(id, options.ifMatch)
      this.#note('patchMetadata', { id, patch, ...options })
      return { ...file, metadata: { ...file.metadata, ...patch } }
    },
  }

  readonly problems = { list: () => ({ items: this.problemList, nextCursor: null }) }

  readonly events = {
    since: (id: number, limit: number, types?: readonly EventType[]) =>
      this.stored
        .filter((event) => event.id > id && (types === undefined || types.includes(event.type)))
        .slice(0, limit),
    lastId: () => this.stored.at(-1)?.id ?? 0,
    subscribe: (listener: (event: DavitEvent) => void) => {
      this.listeners.add(listener)
      return () => void this.listeners.delete(listener)
    },
  }

  /** Stores an event and tells the listeners in a later turn, as an instance does. */
  emit(draft: EventDraft): DavitEvent {
    const event: DavitEvent = {
      ...draft,
      id: this.events.lastId() + 1,
      at: '2025-01-01T00:00:00.000Z',
      instance: 'archive-1',
    }
    this.stored.push(event)
    queueMicrotask(() => {
      for (const listener of [...this.listeners]) listener(event)
    })
    return event
  }
}
