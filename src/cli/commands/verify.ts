/** `davit verify`: index against workspace, index against remote. */
import { type CommandContext, withSession } from '../command.ts'
import { exitCodes } from '../exit-codes.ts'
import { count, formatBytes, print, printable, printJson } from '../output.ts'

export interface VerifyOptions {
  readonly deep?: boolean
  readonly repair?: boolean
}

export function verify(context: CommandContext, options: VerifyOptions): Promise<number> {
  const { io } = context
  return withSession(context, {}, async (session) => {
    const report = await session.verify({
      ...(options.deep === true ? { deep: true } : {}),
      ...(options.repair === true ? { repair: true } : {}),
    })
    const { checked, discrepancies, repaired, unreachable } = report
    if (context.json) printJson(io, report)
    else {
      for (const each of discrepancies) print(io, printable(`${each.path}: ${each.code}: ${each.detail}`))
      const size = `${count(checked.contents, 'content')} (${formatBytes(checked.bytes)})`
      print(
        io,
        `checked ${count(checked.files, 'file')} and ${size}: ${count(discrepancies.length, 'difference')}`,
      )
      if (repaired > 0) print(io, `${repaired} repaired`)
      if (unreachable) io.stderr.write('the remote cannot be reached: only this side was looked at\n')
    }
    if (discrepancies.length > repaired) return exitCodes.failed
    return unreachable ? exitCodes.unreachable : exitCodes.inSync
  })
}
