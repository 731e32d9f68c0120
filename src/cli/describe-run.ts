/** A run's summary for people. */
import type { RunSummary } from '../model/run.ts'
import type { Io } from './io.ts'
import { coloured, count, formatBytes, formatDuration, print, printable } from './output.ts'

/** Problems that are listed; the rest is counted. */
const problemsShown = 20

const heads = {
  'in-sync': ['green', 'in sync'],
  conflicts: ['yellow', 'in sync, but conflicts wait'],
  halted: ['red', 'halted for safety'],
  unreachable: ['yellow', 'the remote cannot be reached; nothing is lost'],
  failed: ['red', 'failed'],
} as const

function moved(run: RunSummary): string {
  const figures: [number, string][] = [
    [run.uploaded, 'uploaded'],
    [run.downloaded, 'downloaded'],
    [run.deleted, 'deleted'],
    [run.moved, 'moved'],
    [run.metadata, 'changed in metadata'],
  ]
  const told = figures.filter(([figure]) => figure > 0).map(([figure, what]) => `${figure} ${what}`)
  return told.length === 0 ? 'nothing to do' : told.join(', ')
}

/** The outcome and what moved on standard output; what needs somebody on standard error. */
export function describeRun(io: Io, run: RunSummary): void {
  const isRefused = run.error?.code === 'remote-unauthorized'
  const [colour, head] = isRefused
    ? (['red', 'refused by the remote; nothing is lost'] as const)
    : heads[run.outcome]
  const dry = run.kind === 'dry-run' ? ' (dry run: nothing was changed)' : ''
  print(io, `${coloured(io, colour, head)} at version ${run.version}: ${moved(run)}${dry}`)
  const traffic = `${formatBytes(run.bytesSent)} sent, ${formatBytes(run.bytesReceived)} received`
  print(
    io,
    coloured(io, 'dim', `${count(run.requests, 'request')}, ${traffic}, ${formatDuration(run.durationMs)}`),
  )

  for (const problem of run.problems.slice(0, problemsShown)) {
    const place = problem.path === '' ? '' : `${printable(problem.path)}: `
    io.stderr.write(`${place}${printable(problem.detail)}\n`)
  }
  const rest = run.problems.length - problemsShown
  if (rest > 0) io.stderr.write(`and ${count(rest, 'more problem')}\n`)
  if (run.conflicts > 0) {
    io.stderr.write(`${count(run.conflicts, 'conflict')} to look at: davit conflicts\n`)
  }
  if (run.error !== undefined) {
    io.stderr.write(`davit: ${printable(run.error.message)}\n`)
    if (run.error.hint !== undefined) io.stderr.write(`${printable(run.error.hint)}\n`)
  }
}
