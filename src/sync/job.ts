/** Runs that were asked for and wait, and which requests may share one. */
import type { FilePath } from '../model/file-state.ts'
import type { RunKind, RunSummary, Trigger } from '../model/run.ts'

export interface RunRequest {
  readonly trigger: Trigger
  readonly force?: boolean
  readonly full?: boolean
  readonly dryRun?: boolean
  /** The store may be made although it is a dry run: for setting up. */
  readonly setUp?: boolean
  readonly paths?: readonly FilePath[]
}

/** A run that was asked for. */
export interface Job {
  readonly runId: string
  readonly trigger: Trigger
  readonly force: boolean
  full: boolean
  readonly dryRun: boolean
  readonly setUp: boolean
  paths: readonly FilePath[] | null
  readonly finished: Promise<RunSummary>
  readonly resolve: (summary: RunSummary) => void
  readonly reject: (error: unknown) => void
}

export function kindOf(job: Pick<Job, 'dryRun' | 'full'>): RunKind {
  return job.dryRun ? 'dry-run' : job.full ? 'full' : 'incremental'
}

/** `finished` settles when `resolve` or `reject` is called. */
export function newJob(runId: string, request: RunRequest): Job {
  let resolve: (summary: RunSummary) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const finished = new Promise<RunSummary>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  // A caller may not wait for it; the outcome is in the history all the same.
  finished.catch(() => undefined)
  return {
    runId,
    trigger: request.trigger,
    force: request.force ?? false,
    full: request.full ?? false,
    dryRun: request.dryRun ?? false,
    setUp: request.setUp ?? false,
    paths: request.paths === undefined || request.paths.length === 0 ? null : request.paths,
    finished,
    resolve,
    reject,
  }
}

/**
 * Nobody gets more done than was asked for: who lifts the guard lifts it for an own run only, and who wants to see a
 * plan sees one.
 */
export function mayJoin(job: Job, request: RunRequest): boolean {
  const isAlike = job.force === (request.force ?? false) && job.dryRun === (request.dryRun ?? false)
  return isAlike && job.setUp === (request.setUp ?? false)
}

/** Another request joins: the run does what both asked for. */
export function widen(job: Job, request: RunRequest): void {
  job.full ||= request.full ?? false
  const paths = request.paths === undefined || request.paths.length === 0 ? null : request.paths
  job.paths = job.paths === null || paths === null ? null : [...new Set([...job.paths, ...paths])]
}
