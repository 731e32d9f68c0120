/** What one run has done so far, and what it has to come back to. */
import type { Operation } from '../model/changeset.ts'
import type { ContentHash, FileId, FilePath } from '../model/file-state.ts'
import { isAtOrBelow } from '../model/path.ts'
import type { Phase, Problem, RunKind, Trigger } from '../model/run.ts'
import type { SyncContext } from './context.ts'

/** What is looked at on disk: the paths with everything below them. */
export type ScanScope =
  | { readonly kind: 'everything' }
  | { readonly kind: 'paths'; readonly paths: readonly FilePath[] }

export interface RunOptions {
  readonly runId: string
  readonly kind: RunKind
  readonly trigger: Trigger
  /** Lifts the deletion guard for this run. */
  readonly force: boolean
  /** Only these paths and what is below them; `null` for all. */
  readonly paths: readonly FilePath[] | null
  readonly signal: AbortSignal
  /**
   * Where the disk changed until now and nobody has looked; `null` when nobody watches. Asked before a file that is
   * not where it was counts as deleted: it may have been renamed.
   */
  readonly changes?: () => Promise<ScanScope | null>
  /** It is no run that anybody was told of: its progress is not told either. */
  readonly quiet?: boolean
}

/** Problems in a summary; all of them stand in the list of problems. */
const problemsMax = 1_000

export class RunState {
  readonly options: RunOptions
  uploaded = 0
  downloaded = 0
  /** Deletions carried out in the workspace, and committed to the store. */
  deletedHere = 0
  deletedThere = 0
  moved = 0
  metadata = 0
  /** Conflicts that a preview would open. */
  plannedConflicts = 0
  bytesDone = 0
  bytesTotal = 0
  /** Files that could not be done in this run; they stay dirty and are tried again later. */
  readonly skipped = new Set<FileId>()
  /** Contents that this run has uploaded, by hash: a commit that lost does not send them again. */
  readonly objects = new Map<ContentHash, Operation>()
  /** What was settled by a rule in this run and has to be told to everybody, by the next commit. */
  readonly notices: Operation[] = []
  private readonly toldNotices = new Set<string>()
  /** Paths that changed under our hands: they are looked at again before the next round. */
  readonly again = new Set<FilePath>()
  readonly againIds = new Set<FileId>()
  /** What `changes` told: to be looked at again when the run fails. */
  readonly changes: ScanScope[] = []
  /** Paths whose content could not be read: the index does not know what is there. */
  readonly unread = new Set<FilePath>()
  /** Files found whose content could not be told, by inode: one that is missed elsewhere may be any of them. */
  readonly untold = new Map<number, { readonly birthtimeMs: number; readonly path: FilePath }>()
  readonly phases: Partial<Record<Phase, number>> = {}
  private readonly problemsByKey = new Map<string, Problem>()
  private readonly met = new Set<string>()
  private readonly context: SyncContext
  private lastProgressAt = Number.NEGATIVE_INFINITY

  constructor(context: SyncContext, options: RunOptions) {
    this.context = context
    this.options = options
  }

  get deleted(): number {
    return this.deletedHere + this.deletedThere
  }

  covers(...paths: (FilePath | undefined)[]): boolean {
    const scope = this.options.paths
    if (scope === null) return true
    return paths.some((path) => path !== undefined && scope.some((folder) => isAtOrBelow(path, folder)))
  }

  problem(problem: Problem): void {
    const key = `${problem.code} ${problem.path}`
    if (this.met.has(key)) return
    this.met.add(key)
    if (this.problemsByKey.size < problemsMax) this.problemsByKey.set(key, problem)
    const isNew = this.context.database.problems.put(
      problem,
      new Date(this.context.clock.now()).toISOString(),
    )
    if (isNew) this.context.emit({ type: 'problem.detected', data: { ...problem } })
  }

  /** The disk was not as decided on: the path is looked at and the file decided anew, within this run. */
  lookAgainAt(path: FilePath, id: FileId): void {
    this.again.add(path)
    this.againIds.add(id)
    this.skipped.add(id)
  }

  /** Why the first of the skipped files was skipped. */
  firstSkip: Problem | null = null

  skip(id: FileId, problem: Problem): void {
    this.skipped.add(id)
    this.firstSkip ??= problem
    this.problem(problem)
  }

  /** `false` when this run has told it already. */
  notice(notice: Extract<Operation, { readonly kind: 'notice' }>): boolean {
    const key = `${notice.fileId} ${notice.rule}`
    if (this.toldNotices.has(key)) return false
    this.toldNotices.add(key)
    this.notices.push(notice)
    return true
  }

  /** Whether this run was told of the problem, also when the summary has no room for it. */
  hasMet({ path, code }: Pick<Problem, 'path' | 'code'>): boolean {
    return this.met.has(`${code} ${path}`)
  }

  problems(): Problem[] {
    return [...this.problemsByKey.values()]
  }

  async timed<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const started = this.context.clock.monotonic()
    try {
      return await work()
    } finally {
      this.phases[phase] = (this.phases[phase] ?? 0) + Math.round(this.context.clock.monotonic() - started)
    }
  }

  private lastProgress = ''

  /** At most ten a second, and always the last of a phase; nothing twice. */
  progress(phase: Phase, done: number, total: number): void {
    if (this.options.quiet === true) return
    const told = `${phase} ${done} ${total} ${this.bytesDone} ${this.bytesTotal}`
    if (told === this.lastProgress) return
    const now = this.context.clock.monotonic()
    if (done < total && now - this.lastProgressAt < 100) return
    this.lastProgressAt = now
    this.lastProgress = told
    this.context.emit({
      type: 'sync.progress',
      data: {
        runId: this.options.runId,
        phase,
        done,
        total,
        bytes: this.bytesDone,
        bytesTotal: this.bytesTotal,
      },
    })
  }
}
