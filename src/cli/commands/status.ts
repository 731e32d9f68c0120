/** `davit status`: where this instance stands. */
import type { InstanceStatus } from '../../instance/instance.ts'
import { type CommandContext, withSession } from '../command.ts'
import { coloured, count, formatBytes, print, printable, printJson } from '../output.ts'

function lines(status: InstanceStatus): [string, string][] {
  const { lastRun, lastError } = status
  const told: [string, string][] = [
    ['instance', status.instance],
    ['workspace', status.workspace],
    ['remote', status.remote],
    ['state', `${status.state}, ${status.mode}`],
    ['version', `${status.localVersion} here, ${status.remoteVersion} in the store`],
    ['files', `${count(status.files, 'file')}, ${count(status.records, 'record')}`],
    ['pending', count(status.pending, 'change')],
    ['conflicts', String(status.conflicts)],
    ['problems', String(status.problems)],
    ['database', formatBytes(status.databaseBytes)],
    ['last run', lastRun === null ? 'none yet' : `${lastRun.outcome}, ended ${lastRun.endedAt}`],
  ]
  if (status.nextRunAt !== null) told.push(['next run', status.nextRunAt])
  if (status.lock.held) told.push(['lock', `held by ${status.lock.by ?? 'somebody'}`])
  if (lastError !== null) {
    told.push(['last error', `${lastError.message} (${lastError.at})`])
    if (lastError.hint !== undefined) told.push(['', lastError.hint])
  }
  return told
}

export function status(context: CommandContext): Promise<number> {
  const { io } = context
  return withSession(context, {}, async (session) => {
    const found = await session.status()
    if (context.json) printJson(io, found)
    else {
      for (const [name, value] of lines(found)) {
        print(io, `${coloured(io, 'dim', name.padEnd(11))}${printable(value)}`)
      }
    }
    return 0
  })
}
