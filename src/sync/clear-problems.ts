/** Problems that are over: told once when they come, and once when they go. */
import type { Problem } from '../model/run.ts'
import type { SyncContext } from './context.ts'
import type { RunState } from './run-state.ts'

/** Found by a scan: over when a full scan does not find them any more. */
const scanCodes = [
  'link-skipped',
  'special-skipped',
  'name-not-utf8',
  'unreadable',
  'path-unsafe',
  'leftover',
  'portability',
]
/** Met while a file was synced: over when a run over everything ended without them. */
const runCodes = [
  'file-busy',
  'file-unreadable',
  'remote-too-large',
  'remote-full',
  'remote-damaged',
  'path-unrepresentable',
  'deletion-guard',
  'disk-full',
]

/** After a full scan. */
export function clearScanProblems(context: SyncContext, run: RunState): void {
  clear(context, run, scanCodes)
}

/** After a run over everything that ended well. */
export function clearRunProblems(context: SyncContext, run: RunState): void {
  clear(context, run, runCodes)
}

function clear(context: SyncContext, run: RunState, codes: readonly string[]): void {
  const { problems } = context.database
  if (problems.count() === 0) return
  for (let after: Problem | undefined; ; ) {
    const page = problems.page({ limit: 1_000, ...(after === undefined ? {} : { after }) })
    const over = page.filter(
      (problem) => codes.includes(problem.code) && !run.hasMet(problem) && !isLasting(context, problem),
    )
    context.database.transaction(() => {
      for (const { path, code } of over) {
        problems.clear(path, code)
        context.emit({ type: 'problem.resolved', data: { path, code } })
      }
    })
    after = page.at(-1)
    if (page.length < 1_000) return
  }
}

/** A name that this disk cannot hold, or must not, stays a problem while the file stands aside for it. */
function isLasting(context: SyncContext, { path, code }: Problem): boolean {
  if (code !== 'path-unsafe' && code !== 'path-unrepresentable') return false
  const file = context.database.trees.remoteAt(path)
  return file !== null && context.database.trees.triple(file.id).local?.absence === 'unrepresentable'
}
