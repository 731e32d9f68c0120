/** The verbs of an instance, over the engine and the database. Composed by `open-instance`. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import type { Hono } from 'hono'
import type { ConflictId } from '../model/conflict.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import type { DavitEvent, EventType } from '../model/event.ts'
import type { JsonObject } from '../model/json.ts'
import { mergeTextBytesMax, pageRowsMax } from '../model/limits.ts'
import type { RunSummary } from '../model/run.ts'
import type { SyncContext } from '../sync/context.ts'
import type { Engine } from '../sync/engine.ts'
import { recover } from '../sync/recover.ts'
import { type Resolution, resolveConflict } from '../sync/resolve.ts'
import type { LockNote } from '../sync/with-lock-notes.ts'
import { ConflictViews } from './conflict-views.ts'
import type { EventLog } from './event-log.ts'
import { FileVerbs } from './file-verbs.ts'
import type {
  HealthReport,
  Instance,
  InstanceStatus,
  ResolveRequest,
  ResolveResult,
  SyncRequest,
  SyncTicket,
  VerifyReport,
} from './instance.ts'
import { type VerifyOptions, verify } from './verify.ts'

export interface DavitInstanceParts {
  readonly context: SyncContext
  readonly engine: Engine
  readonly events: EventLog
  /** The maintenance lock as it was last seen. */
  readonly lock: () => LockNote
  /** In the order in which they are to be closed. */
  readonly closers: readonly (() => Promise<void> | void)[]
  readonly routes: (instance: Instance) => Hono
}

/** A resolution that could not be committed because the store was out of reach, kept until it can. */
type PendingResolution = {
  readonly id: string
  readonly strategy: Resolution['strategy']
  readonly candidate?: string
  readonly contentBase64?: string
  readonly expected: string
}
const pendingKey = 'instance.resolutions'
const pendingMax = 100
/** What has another form is the id of no conflict. */
const conflictIdPattern = /^[0-9a-f]{32}$/

export class DavitInstance implements Instance {
  private readonly context: SyncContext
  private readonly engine: Engine
  private readonly eventLog: EventLog
  private readonly lock: () => LockNote
  private readonly closers: DavitInstanceParts['closers']
  private readonly views: ConflictViews
  private closing: Promise<void> | null = null
  readonly files: FileVerbs
  readonly routes: Hono

  constructor(parts: DavitInstanceParts) {
    this.context = parts.context
    this.engine = parts.engine
    this.eventLog = parts.events
    this.lock = parts.lock
    this.closers = parts.closers
    this.views = new ConflictViews(parts.context)
    this.files = new FileVerbs(parts.context, parts.engine)
    this.routes = parts.routes(this)
    this.eventLog.subscribe((event) => {
      if (event.type === 'remote.reachable' || event.type === 'sync.completed') this.commitPending()
    })
  }

  sync(request: SyncRequest = {}): SyncTicket {
    return this.engine.request({ ...request, trigger: request.trigger ?? 'request' })
  }

  /** Resolves when the workspace was scanned once, or that proved impossible. */
  scannedOnce(): Promise<void> {
    return this.engine.scannedOnce()
  }

  status(): InstanceStatus {
    const { database, workspace, remote } = this.context
    const counts = database.trees.counts()
    const [lastRun] = database.runs.page({ limit: 1 })
    const { id, name } = this.context.instance()
    const watch = this.engine.watchMode()
    const point = database.chain.point()
    return {
      instance: name,
      instanceId: id,
      mode: this.engine.mode,
      state: this.engine.state,
      localVersion: lastRun?.version ?? point?.version ?? 0,
      remoteVersion: point?.version ?? 0,
      pending: counts.pending,
      conflicts: database.conflicts.count(),
      files: Math.max(counts.localFiles, counts.remoteFiles),
      records: 0,
      databaseBytes: database.sizeBytes(),
      lastRun: lastRun ?? null,
      lastError: this.engine.lastError(),
      lock: this.lock(),
      nextRunAt: this.engine.nextRunAt(),
      problems: database.problems.count(),
      workspace: workspace.root,
      remote: remote.url,
      watch: watch === 'failing' ? 'off' : watch,
    }
  }

  async health(): Promise<HealthReport> {
    const { workspace, database } = this.context
    const workspaceState = await stateOfFolder(workspace.root)
    let databaseState: HealthReport['database'] = 'ok'
    try {
      database.settings.get('instance.id')
    } catch {
      // What is wrong with it is told by whatever needs it; here only that it does not answer.
      databaseState = 'failing'
    }
    const { state } = this.engine
    const remote = !this.engine.isReachable
      ? 'unreachable'
      : database.chain.point() === null
        ? 'unknown'
        : 'reachable'
    const watcher = this.engine.watchMode()
    const ready =
      workspaceState === 'writable' &&
      databaseState === 'ok' &&
      remote === 'reachable' &&
      watcher !== 'failing' &&
      state !== 'halted'
    return { ready, workspace: workspaceState, database: databaseState, remote, watcher }
  }

  setMode(mode: 'auto' | 'manual'): void {
    this.engine.setMode(mode)
  }

  async recover(choice: 'republish' | 'adopt'): Promise<RunSummary> {
    await this.engine.exclusively(async (signal) => {
      if (choice === 'adopt') {
        // ORDER: the index follows the disk as it is now, before the store is joined. What the index still remembers
        // of a folder that was restored or emptied would pass for edits and deletions made here.
        await this.context.workspace.renewMarker(this.context.random.hex(16))
        await this.engine.indexEverything()
      }
      await recover(this.context, choice, signal)
    })
    this.engine.liftHalt()
    return this.sync({ full: true, trigger: 'command' }).finished
  }

  verify(options: VerifyOptions): Promise<VerifyReport> {
    return this.engine.exclusively((stopping) => {
      const signal = options.signal === undefined ? stopping : AbortSignal.any([stopping, options.signal])
      return verify(this.context, { ...options, signal })
    })
  }

  readonly runs: Instance['runs'] = {
    list: ({ limit = 50, cursor }) => {
      const size = Math.min(limit, pageRowsMax)
      const rows = this.context.database.runs.page({
        limit: size + 1,
        ...(cursor === undefined ? {} : { before: cursor }),
      })
      const items = rows.slice(0, size)
      return { items, nextCursor: rows.length > size ? (items.at(-1)?.runId ?? null) : null }
    },
    get: (runId) => {
      const running = this.engine.running()
      if (running?.runId === runId) return { ...running, status: 'running' }
      const queued = this.engine.queuedRun()
      if (queued?.runId === runId) return { ...queued, status: 'queued' }
      const summary = this.context.database.runs.get(runId)
      if (summary !== null) return summary
      throw new DavitError('not-found', `there is no run ${runId}`, { action: 'give-up' })
    },
  }

  readonly conflicts: Instance['conflicts'] = {
    list: async ({ limit = 50, cursor }) => {
      const size = Math.min(limit, pageRowsMax)
      const rows = this.context.database.conflicts.page({
        limit: size + 1,
        ...(cursor === undefined ? {} : { after: cursor }),
      })
      const items = await Promise.all(rows.slice(0, size).map((conflict) => this.views.view(conflict)))
      return { items, nextCursor: rows.length > size ? (items.at(-1)?.id ?? null) : null }
    },
    get: async (id) => this.views.view(this.openConflict(id)),
    content: async (id, side) => this.views.content(this.openConflict(id), side),
    resolve: (id, request) => this.resolve(id, request),
  }

  private openConflict(id: ConflictId) {
    const conflict = conflictIdPattern.test(id) ? this.context.database.conflicts.get(id) : null
    if (conflict !== null) return conflict
    throw new DavitError('not-found', `there is no open conflict ${id}`, { action: 'give-up' })
  }

  private async resolve(id: ConflictId, request: ResolveRequest): Promise<ResolveResult> {
    if (
      conflictIdPattern.test(id) &&
      this.context.database.conflicts.get(id) === null &&
      this.context.database.conflicts.resolved(id) !== null
    ) {
      throw new DavitError('conflict-stale', 'the conflict has been resolved already', { action: 'ask' })
    }
    const before = await this.views.view(this.openConflict(id))
    const resolution = { ...request, id, expected: request.expected ?? before.revision }
    try {
      await this.engine.exclusively((signal) => resolveConflict(this.context, resolution, signal))
    } catch (error) {
      if (!isDavitError(error, 'remote-unreachable', 'remote-busy')) throw error
      this.keepPending(resolution)
      return { conflict: before, committed: false }
    }
    // The workspace follows: here at once, elsewhere with the next poll.
    const followUp = this.engine.request({ trigger: 'resolution', paths: [before.path] })
    if (!this.engine.isSelfDriven) await followUp.finished
    return { conflict: before, committed: true }
  }

  private keepPending(resolution: Resolution & { readonly expected: string }): void {
    const { content, ...rest } = resolution
    if (content !== undefined && content.length > mergeTextBytesMax) {
      throw new DavitError(
        'remote-unreachable',
        'the store cannot be reached, and the content is too large to be kept until it can',
        {
          action: 'retry',
        },
      )
    }
    const pending = this.pending().filter(({ id }) => id !== resolution.id)
    if (pending.length >= pendingMax) {
      throw new DavitError(
        'remote-unreachable',
        'the store cannot be reached, and too many resolutions wait for it already',
        {
          action: 'retry',
        },
      )
    }
    const kept: PendingResolution = {
      ...rest,
      ...(content === undefined ? {} : { contentBase64: Buffer.from(content).toString('base64') }),
    }
    this.writePending([...pending, kept])
  }

  private pending(): PendingResolution[] {
    return (this.context.database.settings.get(pendingKey) as PendingResolution[] | null) ?? []
  }

  private writePending(pending: readonly PendingResolution[]): void {
    this.context.database.settings.set(
      pendingKey,
      pending.length === 0 ? null : (pending as unknown as JsonObject[]),
    )
  }

  private isCommittingPending = false

  /** What was decided while the store was away is committed now; what has changed meanwhile is told and dropped. */
  private commitPending(): void {
    if (this.isCommittingPending || this.closing !== null || this.pending().length === 0) return
    this.isCommittingPending = true
    const work = this.engine.exclusively(async (signal) => {
      for (const resolution of this.pending()) {
        const { contentBase64, ...rest } = resolution
        try {
          await resolveConflict(
            this.context,
            {
              ...rest,
              ...(contentBase64 === undefined ? {} : { content: Buffer.from(contentBase64, 'base64') }),
            },
            signal,
          )
        } catch (error) {
          if (!isDavitError(error) || error.action === 'retry') return
          this.context.emit({
            type: 'problem.detected',
            data: {
              path: '',
              code: error.code,
              detail: `the resolution of conflict ${resolution.id} was not committed: ${error.message}`,
            },
          })
        }
        this.writePending(this.pending().filter(({ id }) => id !== resolution.id))
      }
      this.engine.noteWork()
    })
    work
      .catch((error: unknown) => this.engine.reportFailure(error))
      .finally(() => {
        this.isCommittingPending = false
      })
  }

  readonly problems: Instance['problems'] = {
    list: ({ limit = 100, cursor }) => {
      const size = Math.min(limit, pageRowsMax)
      const [path, code] = cursor === undefined ? [] : decodeCursor(cursor)
      const rows = this.context.database.problems.page({
        limit: size + 1,
        ...(path === undefined || code === undefined ? {} : { after: { path, code } }),
      })
      const items = rows.slice(0, size)
      const last = items.at(-1)
      return {
        items,
        nextCursor: rows.length > size && last !== undefined ? encodeCursor([last.path, last.code]) : null,
      }
    },
  }

  readonly events: Instance['events'] = {
    since: (id, limit, types) => this.context.database.events.since(id, limit, types),
    lastId: () => this.context.database.events.lastId(),
    subscribe: (listener) => this.eventLog.subscribe(listener),
  }

  on(type: EventType | '*', listener: (event: DavitEvent) => void): () => void {
    return this.eventLog.subscribe((event) => {
      if (type === '*' || event.type === type) listener(event)
    })
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll()
    return this.closing
  }

  private async closeAll(): Promise<void> {
    await this.engine.close()
    this.eventLog.deliver()
    for (const close of this.closers) await close()
  }
}

async function stateOfFolder(folder: string): Promise<HealthReport['workspace']> {
  try {
    await access(folder, constants.R_OK | constants.W_OK)
    return 'writable'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'read-only'
  }
}

function encodeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

function decodeCursor(cursor: string): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(parts) && parts.every((part) => typeof part === 'string')) return parts
  } catch {
    // Not one of ours: said below.
  }
  throw new DavitError('bad-request', 'the cursor is not one that a list has given out', {
    action: 'give-up',
  })
}
