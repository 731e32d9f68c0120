/**
 * The engine: one run at a time. Whatever happens outside (a change on disk, a request, a poll that finds a new head)
 * only leaves a note; the engine takes the notes at its own pace.
 *
 *   idle ── note ──▶ running ──▶ idle | halted | unreachable ── close ──▶ stopping
 */
import { setMaxListeners } from 'node:events'
import { DavitError, isDavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import type { JsonObject } from '../model/json.ts'
import type { RunKind, RunSummary } from '../model/run.ts'
import type { WorkspaceChange, WorkspaceWatch } from '../workspace/workspace.ts'
import { nowIso, type SyncContext } from './context.ts'
import { executeRun, indexScope } from './execute-run.ts'
import { haltKey } from './guard.ts'
import { type Job, kindOf, mayJoin, newJob, type RunRequest, widen } from './job.ts'
import { liveInstancesKey } from './maintenance.ts'
import { activePollMs, nextPollDelayMs, pollShareMs, retryDelayMs } from './retry-delay.ts'
import { RunState, type ScanScope } from './run-state.ts'
import { type StoredError, stored, summariseRun, unreachableCodes } from './summarise-run.ts'
import { Turns } from './turns.ts'

export interface EngineOptions {
  readonly mode: 'auto' | 'manual'
  /** The pause between polls while nothing happens. */
  readonly pollMs: number
  /** The pause between full scans, the net under the watcher; 0 for none. */
  readonly fullScanMs: number
  readonly watch: boolean
  /** May create the store at the first run. */
  readonly create: boolean
}

export interface Ticket {
  readonly runId: string
  readonly status: 'started' | 'queued'
  readonly coalesced: boolean
  readonly finished: Promise<RunSummary>
}

export type EngineState = 'idle' | 'running' | 'halted' | 'unreachable' | 'stopping'

/** `version/` is listed at least this often, instead of asking for the known head. */
const listEveryMs = 60_000
/** A store that halted an instance is tried again this often, even when its head is the same. */
const haltAskedAgainMs = 60_000
const runsKept = 10_000
const pruneEveryRuns = 100
/** A commit this soon after another one is one of a quick succession; others' turns are looked for this often then. */
const busyMs = 2_000
const turnLookMs = 500
/** Without a commit of somebody else for so long, nobody waits behind this instance. */
const othersMs = 15_000
const modeKey = 'sync.mode'

export class Engine {
  private readonly context: SyncContext
  private readonly options: EngineOptions
  private readonly stopping = new AbortController()
  private modeNow: 'auto' | 'manual'
  private current: Job | null = null
  /** What waits, in order: at most one for each combination of `force` and `dryRun`, with which others may join. */
  private readonly queue: Job[] = []
  private watch: WorkspaceWatch | null = null
  private watchProblem: string | null = null
  private changedPaths = new Set<FilePath>()
  /** A full scan is due: nothing was scanned yet, or the watcher lost track. */
  private scanEverything = true
  private lastFullScanAt = Number.NEGATIVE_INFINITY
  private lastListedAt = Number.NEGATIVE_INFINITY
  private committedAt = Number.NEGATIVE_INFINITY
  private othersAt = Number.NEGATIVE_INFINITY
  private lookedForTurnsAt = Number.NEGATIVE_INFINITY
  private pollDelayMs = activePollMs
  private nextPollAt = 0
  private failures = 0
  private retryAt: number | null = null
  private error: StoredError | null = null
  private isUnreachable = false
  private wake: (() => void) | null = null
  private loop: Promise<void> | null = null

  constructor(context: SyncContext, options: EngineOptions) {
    this.context = context
    this.options = options
    // Hundreds of files are hashed, and several requests under way, at once.
    setMaxListeners(0, this.stopping.signal)
    const stored = context.database.settings.get(modeKey)
    this.modeNow = stored === 'auto' || stored === 'manual' ? stored : options.mode
  }

  /** Starts watching and, in mode auto, the first run. Resolves when the watcher stands. */
  async start(): Promise<void> {
    if (this.options.watch) await this.startWatching()
    // ORDER: asked for before the loop looks, so that the first scan belongs to this run and not to one of its own.
    if (this.modeNow === 'auto') this.queue.push(newJob(this.context.random.uuid(), { trigger: 'start' }))
    this.loop = this.runLoop()
  }

  get mode(): 'auto' | 'manual' {
    return this.modeNow
  }

  setMode(mode: 'auto' | 'manual'): void {
    this.modeNow = mode
    this.context.database.settings.set(modeKey, mode)
    this.context.emit({ type: 'scheduler.changed', data: { mode } })
    this.pollDelayMs = activePollMs
    this.schedulePoll()
    this.notify()
  }

  get state(): EngineState {
    if (this.stopping.signal.aborted) return 'stopping'
    if (this.current !== null) return 'running'
    if (this.halt() !== null) return 'halted'
    return this.isUnreachable ? 'unreachable' : 'idle'
  }

  halt(): StoredError | null {
    return this.context.database.settings.get(haltKey) as StoredError | null
  }

  /** After a recovery: what halted the instance is settled. */
  liftHalt(): void {
    this.context.database.settings.set(haltKey, null)
    this.lastListedAt = Number.NEGATIVE_INFINITY
  }

  lastError(): StoredError | null {
    return this.halt() ?? this.error
  }

  /** Whether the store answered when it was last asked. */
  get isReachable(): boolean {
    return !this.isUnreachable
  }

  /** Whether it watches, polls and runs without being asked. */
  get isSelfDriven(): boolean {
    return this.loop !== null
  }

  /** The trees were changed through the API: in mode auto a run takes it from there. */
  noteWork(): void {
    this.hasWork = true
    this.notify()
  }
  private hasWork = false

  /** Resolves when the workspace was scanned once, or that proved impossible. */
  scannedOnce(): Promise<void> {
    return this.firstScan.promise
  }
  private readonly firstScan = deferred()

  /** For work outside of runs that failed: it stands as the last error until a run ends well. */
  reportFailure(error: unknown): void {
    this.error = stored(error, nowIso(this.context))
  }

  /** Changes on disk that no run has looked at yet. */
  hasUnseenChanges(): boolean {
    return this.scanEverything || this.changedPaths.size > 0
  }

  watchMode(): 'native' | 'polling' | 'off' | 'failing' {
    if (this.watchProblem !== null) return 'failing'
    return this.watch === null ? 'off' : this.watch.mode
  }

  /** Wall-clock time of the next poll; `null` when nothing runs by itself. */
  nextRunAt(): string | null {
    if (this.modeNow === 'manual' || this.loop === null || this.current !== null) return null
    const inMs = Math.max(0, (this.retryAt ?? this.nextPollAt) - this.context.clock.monotonic())
    return new Date(this.context.clock.now() + inMs).toISOString()
  }

  running(): { readonly runId: string; readonly kind: RunKind } | null {
    return this.current === null ? null : { runId: this.current.runId, kind: kindOf(this.current) }
  }

  queuedRun(): { readonly runId: string; readonly kind: RunKind } | null {
    const [next] = this.queue
    return next === undefined ? null : { runId: next.runId, kind: kindOf(next) }
  }

  /** Starts a run, or joins the one that comes next. Each caller gets a run that begins after the call. */
  request(request: RunRequest): Ticket {
    if (this.stopping.signal.aborted) {
      throw new DavitError('stopped', 'the instance is stopping', { action: 'retry' })
    }
    const waiting = this.queue.find((other) => mayJoin(other, request))
    const job = waiting ?? newJob(this.context.random.uuid(), request)
    const isNext = this.queue.length === 0
    if (waiting !== undefined) widen(job, request)
    else this.queue.push(job)
    const status = this.current === null && isNext ? 'started' : 'queued'
    const coalesced = waiting !== undefined || this.current !== null
    this.notify()
    if (this.loop === null) void this.drain()
    return { runId: job.runId, status, coalesced, finished: job.finished }
  }

  /** Waits until the run in hand has ended, with what follows it left undone. */
  async close(): Promise<void> {
    this.stopping.abort(new DavitError('stopped', 'the instance is stopping', { action: 'retry' }))
    this.notify()
    await this.loop
    await this.draining
    // Whatever has its turn still uses the index, which is closed next.
    await this.turns.take(async () => {})
    for (const job of this.queue.splice(0)) {
      job.reject(
        new DavitError('stopped', 'the instance was stopped before the run began', { action: 'retry' }),
      )
    }
    await this.watch?.close()
    this.watch = null
  }

  /** Looks at these paths now. Within `exclusively`. */
  async indexPaths(paths: readonly FilePath[]): Promise<void> {
    const run = this.quietRun()
    await indexScope(this.context, run, { kind: 'paths', paths })
  }

  /** Looks at the whole workspace now. Within `exclusively`. */
  async indexEverything(): Promise<void> {
    await indexScope(this.context, this.quietRun(), { kind: 'everything' })
  }

  private quietRun(): RunState {
    return new RunState(this.context, {
      runId: this.context.random.uuid(),
      kind: 'incremental',
      trigger: 'watch',
      force: false,
      paths: null,
      signal: this.stopping.signal,
      changes: () => this.changesSoFar(),
      quiet: true,
    })
  }

  /** `null` without a watcher. */
  private async changesSoFar(): Promise<ScanScope | null> {
    if (this.watch === null) return null
    const flushed = await this.watch.flush(this.stopping.signal)
    return this.takeNotes(!flushed)
  }

  /**
   * Runs `work` while no run is under way, or between two pages of one. `close` waits for it, so it should end when
   * the signal says so. Rejects with `stopped` when the engine was closed before its turn came.
   */
  exclusively<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.stopping
    return this.inTurn(async () => {
      signal.throwIfAborted()
      return work(signal)
    })
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.turns.take(work)
  }
  private readonly turns = new Turns()

  // -- the loop ----------------------------------------------------------------------------------------------------

  private draining: Promise<void> = Promise.resolve()

  /** Without a loop (one-shot use): works off what was requested. */
  private drain(): Promise<void> {
    this.draining = this.draining.then(async () => {
      while (this.queue.length > 0 && !this.stopping.signal.aborted) await this.takeQueued()
    })
    return this.draining
  }

  private async runLoop(): Promise<void> {
    this.schedulePoll()
    while (!this.stopping.signal.aborted) {
      if (this.queue.length > 0) {
        await this.takeQueued()
      } else if (this.isIndexDue()) {
        await this.indexOnly()
      } else if (this.isLookDue()) {
        await this.lookFirst()
      } else if (this.isWatchRunDue()) {
        this.hasWork = false
        this.request({ trigger: 'watch' })
      } else if (this.isRetryDue()) {
        this.retryAt = null
        if (this.modeNow === 'auto') this.request({ trigger: 'retry' })
      } else if (this.isPollDue()) {
        await this.poll()
      } else {
        await this.rest()
      }
    }
  }

  private isWatchRunDue(): boolean {
    const hasReason = this.hasUnseenChanges() || this.hasWork
    return this.modeNow === 'auto' && hasReason && this.retryAt === null && !this.isWaitingForTheWorld()
  }

  /**
   * Halted on something that only the world or a person can mend: what is still noted would set off one run after
   * the other. The poll asks, and a request is always heard. After too many deletions, changes may mend it.
   */
  private isWaitingForTheWorld(): boolean {
    const halt = this.halt()
    return halt !== null && halt.code !== 'deletion-guard'
  }

  private isIndexDue(): boolean {
    const isDue = this.modeNow === 'manual' && this.hasUnseenChanges() && this.retryAt === null
    return isDue && !this.isWaitingForTheWorld()
  }

  private isLookDue(): boolean {
    return this.isWatchRunDue() && !this.hasWork && !this.scanEverything
  }

  /**
   * What the watcher told of is often our own write. The index finds out, without a run and without a request;
   * a run follows where something has to be done.
   */
  private async lookFirst(): Promise<void> {
    const run = this.quietRun()
    const scope = this.takeNotes(false)
    await this.exclusively(async () => {
      try {
        await indexScope(this.context, run, scope)
        this.scanned(scope)
        for (const path of run.again) this.changedPaths.add(path)
        if (run.skipped.size + run.again.size > 0) this.putBack(scope)
        const { pending } = this.context.database.trees.counts()
        // What was too much to delete may be back: a run finds out, and lifts the halt.
        if (pending > 0 || run.skipped.size > 0 || this.halt() !== null) this.hasWork = true
      } catch (error) {
        for (const each of [scope, ...run.changes]) this.putBack(each)
        // The run meets it again, and tells and handles it as every run does.
        if (!isDavitError(error, 'stopped')) this.hasWork = true
      }
    })
  }

  /** In mode manual changes are noticed and counted; nothing is sent. */
  private async indexOnly(): Promise<void> {
    const run = this.quietRun()
    const scope = this.takeNotes(false)
    await this.inTurn(async () => {
      try {
        await indexScope(this.context, run, scope)
        this.scanned(scope)
        for (const path of run.again) this.changedPaths.add(path)
      } catch (error) {
        for (const each of [scope, ...run.changes]) this.putBack(each)
        this.firstScan.resolve()
        if (!isDavitError(error, 'stopped')) this.failed(error)
      }
    })
  }

  private isRetryDue(): boolean {
    return this.retryAt !== null && this.context.clock.monotonic() >= this.retryAt
  }

  private isPollDue(): boolean {
    return (
      this.modeNow === 'auto' && this.retryAt === null && this.context.clock.monotonic() >= this.nextPollAt
    )
  }

  private notify(): void {
    this.wake?.()
  }

  private async rest(): Promise<void> {
    const { clock } = this.context
    const until = this.retryAt ?? (this.modeNow === 'manual' ? Number.POSITIVE_INFINITY : this.nextPollAt)
    const cancel = new AbortController()
    const woken = new Promise<void>((resolve) => {
      this.wake = resolve
    })
    const pauseMs = Math.min(Math.max(0, until - clock.monotonic()), 60_000)
    try {
      await Promise.race([woken, clock.sleep(pauseMs, cancel.signal).catch(() => undefined)])
    } finally {
      this.wake = null
      cancel.abort()
    }
  }

  private schedulePoll(): void {
    const jitter = 0.8 + this.context.random.fraction() * 0.4
    this.nextPollAt = this.context.clock.monotonic() + Math.round(this.pollDelayMs * jitter)
  }

  private becameActive(): void {
    this.pollDelayMs = Math.min(this.pollFloorMs(), this.options.pollMs)
    this.schedulePoll()
  }

  /** Many instances ask less often each, so that the store is asked at most about twenty times a second. */
  private pollFloorMs(): number {
    const live = this.context.database.settings.get(liveInstancesKey)
    return Math.max(activePollMs, typeof live === 'number' ? live * pollShareMs : 0)
  }

  /** Asks the store whether anything changed: one request, no run, nothing written down when nothing did. */
  private async poll(): Promise<void> {
    const { clock, database } = this.context
    this.pollDelayMs = nextPollDelayMs(this.pollDelayMs, this.options.pollMs)
    this.schedulePoll()
    if (this.options.fullScanMs > 0 && clock.monotonic() - this.lastFullScanAt >= this.options.fullScanMs) {
      this.scanEverything = true
      return
    }
    const halt = this.halt()
    if (halt !== null) await this.askWhetherHaltIsOver(halt)
    else if (database.chain.point() === null) this.request({ trigger: 'poll' })
    else await this.askStore()
  }

  /** The head at which the store was when this instance halted on it. */
  private haltedAtHead: string | null = null
  private haltAskedAt = Number.NEGATIVE_INFINITY

  /** The world may have mended by itself what halted: then a run finds out more, and lifts the halt. */
  private async askWhetherHaltIsOver(halt: StoredError): Promise<void> {
    if (halt.code === 'deletion-guard') return
    try {
      if (halt.code.startsWith('workspace-')) {
        if ((await this.context.workspace.rootState()).kind === 'present') this.request({ trigger: 'poll' })
        return
      }
      const listing = await this.context.remote.listHeads()
      const head = listing.kind === 'one' ? `${listing.head.version}-${listing.head.hash}` : listing.kind
      const now = this.context.clock.monotonic()
      if (head === this.haltedAtHead && now - this.haltAskedAt < haltAskedAgainMs) return
      this.haltedAtHead = head
      this.haltAskedAt = now
      this.request({ trigger: 'poll' })
    } catch (error) {
      this.failed(error)
    }
  }

  private async askStore(): Promise<void> {
    const { clock, database } = this.context
    const known = database.chain.point()
    if (known === null) return
    try {
      const mustList = clock.monotonic() - this.lastListedAt >= listEveryMs
      if (mustList) {
        const listing = await this.context.remote.listHeads()
        if (listing.kind === 'one' && listing.head.hash === known.hash) {
          this.lastListedAt = clock.monotonic()
          this.reached()
          return
        }
      } else if ((await this.context.remote.check(known)) === 'unchanged') {
        this.reached()
        return
      }
      this.reached()
      this.lastListedAt = Number.NEGATIVE_INFINITY
      this.request({ trigger: 'poll' })
    } catch (error) {
      this.failed(error)
    }
  }

  private async takeQueued(): Promise<void> {
    const job = this.queue.shift()
    if (job === undefined) return
    this.current = job
    await this.inTurn(async () => {
      try {
        job.resolve(await this.run(job))
      } catch (error) {
        job.reject(error)
        if (!isDavitError(error, 'stopped')) this.error = stored(error, nowIso(this.context))
      } finally {
        this.current = null
      }
    })
  }

  private async run(job: Job): Promise<RunSummary> {
    const { context } = this
    const startedAt = nowIso(context)
    const started = context.clock.monotonic()
    const before = context.remote.traffic()
    const kind = kindOf(job)
    const run = new RunState(context, {
      runId: job.runId,
      kind,
      trigger: job.trigger,
      force: job.force,
      paths: job.paths,
      signal: this.stopping.signal,
      changes: () => this.changesSoFar(),
    })
    context.database.runs.start({ runId: job.runId, kind, trigger: job.trigger, startedAt })
    context.emit({ type: 'sync.started', data: { runId: job.runId, kind, trigger: job.trigger } })
    const versionBefore = context.database.chain.point()?.version ?? 0
    const pendingBefore = context.database.trees.counts().pending
    let failure: unknown = null
    const scope = await this.scopeOf(job)
    let isScanned = false
    try {
      await executeRun(context, run, {
        scan: scope,
        list:
          job.force ||
          job.trigger === 'start' ||
          context.clock.monotonic() - this.lastListedAt >= listEveryMs,
        create: this.options.create,
        setUp: job.setUp,
        dryRun: job.dryRun,
        pause: () => this.turns.yield(),
        onScanned: () => {
          isScanned = true
          this.scanned(scope)
        },
        onListed: () => {
          this.lastListedAt = context.clock.monotonic()
        },
        onOthers: () => {
          this.othersAt = context.clock.monotonic()
        },
        isBusy: this.isBusy(),
        onGaveWay: (met) => {
          // Whoever met a turn looks again before the next commit: there may be a queue of them.
          this.lookedForTurnsAt = met ? Number.NEGATIVE_INFINITY : context.clock.monotonic()
        },
        onCommitted: () => {
          this.lastListedAt = Number.NEGATIVE_INFINITY
          this.committedAt = context.clock.monotonic()
        },
      })
    } catch (error) {
      failure = error
    }
    if (!isScanned) this.putBack(scope)
    if (failure !== null) for (const more of run.changes) this.putBack(more)
    for (const path of run.unread) this.changedPaths.add(path)
    this.firstScan.resolve()
    const summary = summariseRun(context, run, { startedAt, started, before, failure })
    context.database.runs.finish(summary)
    this.runsSincePruned += 1
    if (this.runsSincePruned >= pruneEveryRuns) {
      this.runsSincePruned = 0
      context.database.runs.prune(runsKept)
    }
    this.conclude(summary, failure, { version: versionBefore, pending: pendingBefore, paths: job.paths })
    return summary
  }

  /** Commits in quick succession while others do too, and has not looked at others' turns for a while. */
  private isBusy(): boolean {
    const now = this.context.clock.monotonic()
    const isRacing = now - this.committedAt < busyMs && now - this.othersAt < othersMs
    return isRacing && now - this.lookedForTurnsAt >= turnLookMs
  }

  /** What has to be looked at on disk so that the run sees every change finished before it was asked for. */
  private async scopeOf(job: Job): Promise<ScanScope> {
    const isAsked = job.trigger === 'request' || job.trigger === 'command'
    if (isAsked && !this.scanEverything && !job.full) {
      const flushed = this.watch === null ? false : await this.watch.flush(this.stopping.signal)
      if (!flushed) this.scanEverything = true
    }
    return this.takeNotes(job.full)
  }

  private takeNotes(full: boolean): ScanScope {
    const everything = full || this.scanEverything
    const paths = [...this.changedPaths]
    this.scanEverything = false
    this.changedPaths.clear()
    return everything ? { kind: 'everything' } : { kind: 'paths', paths }
  }

  private scanned(scope: ScanScope): void {
    if (scope.kind === 'everything') this.lastFullScanAt = this.context.clock.monotonic()
    this.firstScan.resolve()
  }

  /** What was to be looked at and was not stays noted. */
  private putBack(scope: ScanScope): void {
    if (scope.kind === 'everything') this.scanEverything = true
    else for (const path of scope.paths) this.changedPaths.add(path)
  }

  private conclude(
    summary: RunSummary,
    failure: unknown,
    before: { readonly version: number; readonly pending: number; readonly paths: Job['paths'] },
  ): void {
    const { context } = this
    const data = { summary: summary as unknown as JsonObject }
    switch (summary.outcome) {
      case 'in-sync':
      case 'conflicts':
        this.reached()
        this.error = null
        // A preview settles nothing.
        if (summary.kind !== 'dry-run') context.database.settings.set(haltKey, null)
        context.emit({ type: 'sync.completed', data })
        break
      case 'halted':
        context.database.settings.set(haltKey, stored(failure, nowIso(context)) as unknown as JsonObject)
        context.emit({ type: 'sync.halted', data })
        break
      case 'unreachable':
        this.failed(failure)
        context.emit({ type: 'sync.failed', data })
        break
      case 'failed':
        this.error =
          failure === null
            ? ({ ...summary.error, at: summary.endedAt } as StoredError)
            : stored(failure, nowIso(context))
        if (!isDavitError(failure, 'stopped')) this.scheduleRetry(failure)
        context.emit({ type: 'sync.failed', data })
        break
    }
    const moved = summary.version !== before.version
    const isLess = context.database.trees.counts().pending < before.pending
    this.followUp(summary, moved || isLess || before.paths !== null)
    if (moved || summary.uploaded + summary.downloaded > 0) this.becameActive()
    else this.schedulePoll()
  }

  /**
   * Work that is left after a run that ended well goes on at once while it gets ahead. What a run over everything left
   * as it was, another one would leave as well: it waits until something changes.
   */
  private followUp(summary: RunSummary, isAhead: boolean): void {
    if (summary.outcome !== 'in-sync' && summary.outcome !== 'conflicts') return
    if (summary.kind === 'dry-run' || this.context.database.trees.counts().pending === 0) return
    const { uploaded, downloaded, deleted, moved, metadata } = summary
    if (isAhead || uploaded + downloaded + deleted + moved + metadata > 0) this.noteWork()
  }
  private runsSincePruned = 0

  private reached(): void {
    if (this.isUnreachable)
      this.context.emit({ type: 'remote.reachable', data: { url: this.context.remote.url } })
    this.isUnreachable = false
    this.failures = 0
    this.retryAt = null
  }

  private failed(error: unknown): void {
    this.error = stored(error, nowIso(this.context))
    if (isDavitError(error, ...unreachableCodes)) {
      if (!this.isUnreachable) {
        this.context.emit({
          type: 'remote.unreachable',
          data: { code: this.error.code, message: this.error.message },
        })
      }
      this.isUnreachable = true
    }
    this.scheduleRetry(error)
  }

  private scheduleRetry(error: unknown): void {
    const retryAfterMs = isDavitError(error) ? error.retryAfterMs : undefined
    const delay = retryDelayMs(
      this.failures,
      this.context.settings.retry,
      this.context.random.fraction(),
      retryAfterMs,
    )
    this.failures += 1
    this.retryAt = this.context.clock.monotonic() + delay
    this.notify()
  }

  // -- watching ----------------------------------------------------------------------------------------------------

  private async startWatching(): Promise<void> {
    try {
      this.watch = await this.context.workspace.watch((change) => this.noteChange(change))
      this.watchProblem = null
      this.tellFallback()
    } catch (error) {
      this.watchProblem = error instanceof Error ? error.message : String(error)
      this.scanEverything = true
    }
  }

  private noteChange(change: WorkspaceChange): void {
    switch (change.kind) {
      case 'paths':
        for (const path of change.paths) this.changedPaths.add(path)
        break
      case 'everything':
        this.scanEverything = true
        break
      case 'root':
        this.scanEverything = true
        break
    }
    this.tellFallback()
    this.retryAt = this.isUnreachable ? this.retryAt : null
    this.notify()
  }

  /** Changes are noticed later than was asked for: told once when it comes, and once when it is over. */
  private tellFallback(): void {
    if (this.watch === null) return
    const { database, emit } = this.context
    const problem = { path: '', code: 'watch-polling', detail: this.watch.fallback ?? '' }
    if (this.watch.fallback === null) {
      if (database.problems.clear(problem.path, problem.code))
        emit({ type: 'problem.resolved', data: { path: problem.path, code: problem.code } })
    } else if (database.problems.put(problem, nowIso(this.context))) {
      emit({ type: 'problem.detected', data: problem })
    }
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {}
  const promise = new Promise<void>((onResolve) => {
    resolve = onResolve
  })
  return { promise, resolve }
}
