/** Takes back problems that a run has not met again, so that the list tells what stands now. */
import { isAtOrBelow } from '../model/path.ts'
import type { Problem } from '../model/run.ts'
import type { SyncContext } from './context.ts'
import type { ScanScope } from './execute-run.ts'
import type { RunState } from './run-state.ts'

const pageRows = 500

/** After a run that came to its end. What it did not look at stays. */
export function settleProblems(context: SyncContext, run: RunState, scope: ScanScope): void {
  if (run.options.paths !== null) return
  const met = new Set(run.problems().map(keyOf))
  const { problems } = context.database
  for (let after: { readonly path: string; readonly code: string } | undefined; ; ) {
    const page = problems.page({ limit: pageRows, ...(after === undefined ? {} : { after }) })
    for (const problem of page) {
      if (met.has(keyOf(problem)) || !isLookedAt(scope, problem) || stands(context, problem)) continue
      problems.clear(problem.path, problem.code)
      context.emit({ type: 'problem.resolved', data: { ...problem } })
    }
    after = page.at(-1)
    if (page.length < pageRows) return
  }
}

function isLookedAt(scope: ScanScope, { path }: Problem): boolean {
  return scope.kind === 'everything' || scope.paths.some((folder) => isAtOrBelow(path, folder))
}

/** A name that cannot be written here is told when it comes, not with each run. */
function stands(context: SyncContext, { path, code }: Problem): boolean {
  if (code !== 'path-unsafe' && code !== 'path-unrepresentable') return false
  const { trees } = context.database
  const there = trees.remoteAt(path)
  if (there === null) return false
  const { local } = trees.triple(there.id)
  return local === null || local.absence === 'unrepresentable' || local.state.path !== path
}

function keyOf({ path, code }: Problem): string {
  return `${code} ${path}`
}
