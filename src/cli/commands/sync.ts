/** `davit sync`: one run. */
import { type CommandContext, withSession } from '../command.ts'
import { describeRun } from '../describe-run.ts'
import { exitCodeOfRun } from '../exit-codes.ts'
import { printJson } from '../output.ts'
import { showProgress } from '../progress-bar.ts'
import { workspacePath } from '../workspace-path.ts'
import { keepConfiguration } from '../write-configuration.ts'

export interface SyncOptions {
  readonly create?: boolean
  readonly full?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
}

export function sync(
  context: CommandContext,
  options: SyncOptions,
  given: readonly string[],
): Promise<number> {
  const { io } = context
  return withSession(context, options, async (session, configuration) => {
    const { workspace } = configuration
    const paths = given.map((path) => workspacePath(path, { cwd: io.cwd, workspace }))
    const hide = context.json ? () => {} : await showProgress(io, session)
    const run = await session
      .sync({
        ...(options.full === true ? { full: true } : {}),
        ...(options.force === true ? { force: true } : {}),
        ...(options.dryRun === true ? { dryRun: true } : {}),
        ...(paths.length > 0 && !paths.includes('') ? { paths } : {}),
      })
      .finally(hide)
    const isJoined = run.outcome === 'in-sync' || run.outcome === 'conflicts'
    if (options.create === true && isJoined) await keepConfiguration(context, configuration)
    if (context.json) printJson(io, run)
    else describeRun(io, run)
    return exitCodeOfRun(run)
  })
}
