/** What came of a run, as the value that people and programs are told. */
import { isDavitError } from '../model/errors.ts'
import type { Outcome, RunSummary } from '../model/run.ts'
import type { Traffic } from '../remote/remote.ts'
import { nowIso, type SyncContext } from './context.ts'
import type { RunState } from './run-state.ts'

export interface StoredError {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly at: string
}

/** Codes that halt: nothing is done until a person decided or the world is as it was. */
export const haltingCodes = [
  'remote-missing',
  'remote-rolled-back',
  'remote-foreign',
  'remote-newer',
  'remote-damaged',
  'workspace-vanished',
  'workspace-replaced',
  'workspace-restored',
  'deletion-guard',
] as const

/** Codes that say: nothing is lost, try again. */
export const unreachableCodes = [
  'remote-unreachable',
  'remote-busy',
  'remote-unexpected',
  'remote-full',
  'remote-unauthorized',
  'remote-too-large',
] as const

/** `failure`: what ended the run; `null` when it came to its end. */
export function summariseRun(
  context: SyncContext,
  run: RunState,
  measured: {
    readonly startedAt: string
    readonly started: number
    readonly before: Traffic
    readonly failure: unknown
  },
): RunSummary {
  const traffic = context.remote.traffic()
  const conflicts = context.database.conflicts.count() + run.plannedConflicts
  const { failure } = measured
  const outcome = outcomeOf(failure, run, conflicts)
  const error =
    failure !== null
      ? stored(failure, nowIso(context))
      : outcome === 'failed'
        ? skippedError(run, nowIso(context))
        : null
  return {
    runId: run.options.runId,
    kind: run.options.kind,
    trigger: run.options.trigger,
    outcome,
    version: context.database.chain.point()?.version ?? 0,
    uploaded: run.uploaded,
    downloaded: run.downloaded,
    deleted: run.deleted,
    moved: run.moved,
    metadata: run.metadata,
    conflicts,
    problems: run.problems(),
    requests: traffic.requests - measured.before.requests,
    bytesSent: traffic.bytesSent - measured.before.bytesSent,
    bytesReceived: traffic.bytesReceived - measured.before.bytesReceived,
    startedAt: measured.startedAt,
    endedAt: nowIso(context),
    durationMs: Math.round(context.clock.monotonic() - measured.started),
    phases: run.phases,
    ...(error === null
      ? {}
      : {
          error: {
            code: error.code,
            message: error.message,
            ...(error.hint === undefined ? {} : { hint: error.hint }),
          },
        }),
  }
}

function outcomeOf(failure: unknown, run: RunState, conflicts: number): Outcome {
  if (failure !== null) {
    if (isDavitError(failure, ...haltingCodes)) return 'halted'
    if (isDavitError(failure, ...unreachableCodes)) return 'unreachable'
    return 'failed'
  }
  if (run.skipped.size + run.unread.size > 0) return 'failed'
  return conflicts > 0 ? 'conflicts' : 'in-sync'
}

/** Files that could not be done are one error of the run: the first is named, the problems name all. */
function skippedError(run: RunState, at: string): StoredError {
  const { firstSkip: first } = run
  const { size } = run.skipped
  const told = `${size} file${size === 1 ? '' : 's'} could not be synced`
  if (first === null) return { code: 'file-busy', message: `${told}: it changes all the time`, at }
  const message = `${told}${size === 1 ? '' : '; the first'}: '${first.path}': ${first.detail}`
  return { code: first.code, message, hint: 'It is tried again; everything else is in sync.', at }
}

/** An error as it is kept and shown. */
export function stored(error: unknown, at: string): StoredError {
  if (isDavitError(error)) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      at,
    }
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), at }
}
