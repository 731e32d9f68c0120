/** Events as lines of the log: one for each change of state, the rest for those who look for a fault. Pure. */
import type { DavitEvent } from '../model/event.ts'
import type { RunSummary } from '../model/run.ts'

export type LogLevel = 'error' | 'info' | 'debug'

/** A line for people, and how grave it is. */
export function logLine({ type, data }: DavitEvent): { readonly level: LogLevel; readonly message: string } {
  const text = (key: string) => (typeof data[key] === 'string' ? data[key] : '')
  switch (type) {
    case 'sync.completed':
      return completed(data['summary'] as unknown as RunSummary)
    case 'sync.halted':
    case 'sync.failed': {
      const { error, outcome } = data['summary'] as unknown as RunSummary
      const hint = error?.hint === undefined ? '' : ` ${error.hint}`
      const message = (error?.message ?? 'see the problems').replace(/\.$/, '')
      // Cut short by a stop: what was left is done at the next start.
      const level = error?.code === 'stopped' ? 'debug' : 'error'
      return { level, message: `${outcome}: ${message}.${hint}` }
    }
    case 'remote.unreachable':
      return { level: 'error', message: `the remote cannot be reached: ${text('message')}` }
    case 'remote.reachable':
      return { level: 'info', message: 'the remote is reached again' }
    case 'remote.fork':
      return { level: 'error', message: `a fork of the store was found and healed: ${JSON.stringify(data)}` }
    case 'conflict.detected':
    case 'conflict.resolved':
      return { level: 'info', message: `${type} ${text('path')} (${text('aspect')}, ${text('id')})` }
    case 'file.rescued':
    case 'problem.detected':
    case 'instance.renamed':
      return {
        level: 'info',
        message: `${type} ${text('path')} ${text('detail')}`.replace(/ +/g, ' ').trim(),
      }
    case 'lock.broken':
      return { level: 'info', message: `a lock that nobody renewed was broken: ${text('name')}` }
    default:
      return { level: 'debug', message: `${type} ${JSON.stringify(data)}` }
  }
}

function completed(run: RunSummary): { readonly level: LogLevel; readonly message: string } {
  const { uploaded, downloaded, deleted, moved, metadata, version, durationMs } = run
  const isQuiet = uploaded + downloaded + deleted + moved + metadata === 0
  return {
    level: isQuiet || run.kind === 'dry-run' ? 'debug' : 'info',
    message: `${run.outcome} at version ${version}: ${uploaded} sent, ${downloaded} fetched, ${deleted} deleted, ${moved} moved, ${metadata} changed in metadata, ${durationMs} ms`,
  }
}
